"""Recording calls: who crossed which boundary, when, for how long, with how many bytes, in the trace-event format.

A `Tracer` collects events of the services that were loaded with it and writes them as JSON that Perfetto and Chrome's
trace viewer open. `instrument` decides what an event is; a service without a tracer uses neither file. The number of
events and the length of every text in them are bounded, so that the memory and the file are too.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import perf_counter_ns

from marine_runtime.config.cache_directory import write_replacing
from marine_runtime.config.checks import check_path
from marine_runtime.errors import ArgumentError, LoadError, StateError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import os_reason, shortened

DEFAULT_LIMIT = 100_000
"""Events of one recording, unless it is given another limit. A file of so many has about 25 MB."""

MAX_NAME = 200
MAX_MESSAGE = 500
"""Characters that are kept of a name and of an error's text; names come from Wasm files and may be of any length."""

_PROCESS = 1
_log = logging.getLogger("marine_runtime")


class Span:
    """One crossing of a boundary, from its beginning to its end.

    Attributes:
        track: number of the service.
        kind: `call`, `import`, `host`, `binary` or `init`; the category of the event.
        details: further data of the event; `arg_bytes`, `result_bytes` and `error` are added when they are known.
        start, end: in ns of the performance counter; `end` is 0 while it runs.
        joined: whether the export adapter behind an import has begun; the values that it gets are those of this call.
        crossed: the values to measure when the clock has stopped.
    """

    __slots__ = ("crossed", "details", "end", "joined", "kind", "name", "start", "track")

    def __init__(self, track: int, kind: str, name: str, details: dict[str, Any]) -> None:
        self.track, self.kind, self.name, self.details = track, kind, name, details
        self.start = self.end = 0
        self.joined = False
        self.crossed: Any = None


class Tracer:
    """A recorder of the calls of services that are loaded with it, between `start` and `stop`.

    Services of several threads may share a tracer; each has a track of its own.

    Attributes:
        recording: whether events are collected.
        limit: the largest number of events.
        dropped: events beyond `limit`.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        """Make a tracer that does not record yet.

        Raises:
            ArgumentError: `limit` is not a positive whole number.
        """
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ArgumentError(f"the limit of a trace must be a positive number of events, not {limit!r:.80}")
        self.limit = limit
        self.recording = False
        self.dropped = 0
        self._services: list[str] = []
        self._spans: list[Span] = []
        self._origin = self._cut = 0
        self._lock = Lock()

    def start(self) -> None:
        """Start recording; an earlier recording is discarded.

        Raises:
            StateError: it is recording already.
        """
        if self.recording:
            raise StateError("the tracer is already recording: stop it first")
        self._spans, self.dropped, self._cut = [], 0, 0
        self._origin = perf_counter_ns()
        self.recording = True

    def stop(self, path: str | Path | None = None) -> dict[str, Any]:
        """Stop recording; return the trace-event document, and write it to `path` if given.

        Calls that are still running are included, with their duration so far.

        Raises:
            StateError: it is not recording.
            ArgumentError: `path` is not a path.
            LoadError: the file can't be written; the recording is kept, and `document` gives it.
        """
        if not self.recording:
            raise StateError("the tracer is not recording: start it first")
        place = None if path is None else check_path(path, "the file of a trace")
        self.recording = False
        document = self.document()
        if place is not None:
            _check_place(place)
            _write(place, document)
        return document

    def document(self) -> dict[str, Any]:
        """The recording as a trace-event document (times in µs since `start`)."""
        now = perf_counter_ns()
        with self._lock:
            spans, names = list(self._spans), list(self._services)
        events: list[dict[str, Any]] = [_metadata("process_name", 0, {"name": "marine"})]
        for number, name in enumerate(names, 1):
            events.append(_metadata("thread_name", number, {"name": name}))
            events.append(_metadata("thread_sort_index", number, {"sort_index": number}))
        events += [self._event(span, now) for span in spans]
        other: dict[str, Any] = {"limit": self.limit, "dropped": self.dropped}
        if self.dropped:
            note = f"the trace was cut at its limit of {self.limit} events; {self.dropped} are missing"
            other["note"] = note
            moment = {"name": note, "cat": "marine", "ph": "i", "s": "g", "pid": _PROCESS, "tid": 0}
            events.append({**moment, "ts": self._microseconds(self._cut), "args": {}})
        return {"displayTimeUnit": "ns", "otherData": other, "traceEvents": events}

    # For `traced`

    def track(self, service: str) -> int:
        """A track number for another service."""
        with self._lock:
            self._services.append(shortened(service, MAX_NAME))
            return len(self._services)

    def begin(self, span: Span) -> None:
        """Record the start of `span`, if there is room."""
        with self._lock:
            if len(self._spans) < self.limit:
                self._spans.append(span)
            else:
                self._cut = self._cut or perf_counter_ns()
                self.dropped += 1
        span.start = perf_counter_ns()

    def _event(self, span: Span, now: int) -> dict[str, Any]:
        start = span.start or now
        details = span.details if span.end else {**span.details, "unfinished": True}
        return {
            "name": span.name,
            "cat": span.kind,
            "ph": "X",
            "ts": self._microseconds(start),
            "dur": max(0, (span.end or now) - start) / 1000,
            "pid": _PROCESS,
            "tid": span.track,
            "args": details,
        }

    def _microseconds(self, moment: int) -> float:
        return max(0, moment - self._origin) / 1000


@contextmanager
def tracing(path: str | Path, limit: int = DEFAULT_LIMIT) -> Iterator[Tracer]:
    """A tracer that records while the block runs, and writes `path` at its end, also when the block fails.

        with tracing("out.json") as tracer, marine_gen.load("Config.toml", trace=tracer) as service: ...

    Raises:
        LoadError: the file can't be written; raised before the block runs where it can be found out then.
        ArgumentError: `limit` is not a positive whole number.
    """
    tracer = Tracer(limit)
    place = check_path(path, "the file of a trace")
    _check_place(place)
    tracer.start()
    try:
        yield tracer
    except BaseException:
        try:
            _finish(tracer, place)
        except LoadError as problem:  # what the block raised is what matters
            _log.warning("the trace is lost: %s", problem)
        raise
    _finish(tracer, place)


def _finish(tracer: Tracer, place: Path) -> None:
    if tracer.recording:
        tracer.stop(place)


def _check_place(path: Path) -> None:
    problem = None
    try:
        if "\0" in str(path):
            problem = "its name has a NUL in it"
        elif path.is_dir():
            problem = "it is a directory"
        elif not path.parent.is_dir():
            problem = f"there is no directory `{path.parent}`"
        elif path.exists() and not os.access(path, os.W_OK):
            problem = "it is write-protected"
    except OSError as error:
        problem = os_reason(error)
    if problem:
        raise LoadError(f"the trace `{path}` can't be written: {problem}")


def _write(path: Path, document: dict[str, Any]) -> None:
    """One line per event, so that a file can be looked at and compared without a viewer."""
    lines = [json.dumps(event) for event in document["traceEvents"]]
    head = json.dumps({key: value for key, value in document.items() if key != "traceEvents"})
    data = (head[:-1] + ', "traceEvents": [\n' + ",\n".join(lines) + "\n]}\n").encode()
    try:
        if path.exists() and not path.is_file():  # a pipe or a device has no place to take
            path.write_bytes(data)
            return
        try:
            write_replacing(os.path.realpath(path), data, mode=0o666)
        except PermissionError:  # nothing can be made beside it
            path.write_bytes(data)
    except (OSError, ValueError) as error:
        reason = os_reason(error)
        raise LoadError(f"the trace `{path}` can't be written: {reason}") from None


def _metadata(name: str, track: int, details: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "M", "pid": _PROCESS, "tid": track, "args": details}

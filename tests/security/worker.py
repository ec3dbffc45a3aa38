"""Runs hostile cases in a process of its own, so that a crash is seen, and seen where it happened.

    python -m tests.security.worker ENGINE CALL_LAYER < cases

The names of cases come in as JSON, `{"full": …, "names": […]}`. For each one a line `{"begin": name}` is written before
anything happens, and a line with what came of it afterwards. A case that takes too long ends the process with a
traceback. What guests print goes nowhere. Starting workers and judging what they say is done in `runs`.
"""

from __future__ import annotations

import ctypes
import faulthandler
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from marine_runtime import Service
from marine_runtime.adapters.staging import BATCH_DONE, FAULT_KIND, FREE, KEPT, STACK, STACK_TOP, Staging
from marine_runtime.errors import MarineError
from marine_runtime.linking import context
from tests.security.cases import SOON, Case, family, modules
from tests.security.liar import host_functions
from tests.support.echo import PAGE
from tests.support.engines import failure, load, shown
from tests.support.memory_use import forget_peak, peak

HANG = 60
"""Seconds after which a case counts as a hang."""

LOADING = 5.0
"""Seconds that loading may take, where nothing loops."""

_DATA_LIMIT = 3 << 30
_GAPS = ((STACK_TOP + 4, BATCH_DONE), (FREE + 4, STACK))
_PATTERN = 0x5A


class Watch:
    """The staging memory of the service that is loaded, if it has one, with canaries where nobody writes."""

    def __init__(self) -> None:
        self.staging: Staging | None = None

    def make(self, *parts: Any, **options: Any) -> Staging:
        """Stands for `Staging` while a service is loaded."""
        self.staging = made = Staging(*parts, **options)
        for start, end in _GAPS:
            made.memory.write(start, bytes([_PATTERN]) * (end - start))
        return made

    def problem(self) -> str:
        """The fault of the staging memory, or nothing."""
        if self.staging is None:
            return ""
        memory = self.staging.memory
        for start, end in _GAPS:
            if memory.read(start, end - start) != bytes([_PATTERN]) * (end - start):
                return f"the bytes of the staging memory from {start} on have changed"
        if int.from_bytes(memory.read(STACK_TOP, 4), "little") != STACK:
            return "positions were left on the stack of the staging memory"
        if int.from_bytes(memory.read(FAULT_KIND, 4), "little"):
            return "a fault was left in the staging memory"
        if len(memory.view) > KEPT and type(memory).__name__ == "FastMemory":
            return f"{len(memory.view)} bytes of staging memory were kept"
        return ""


class Bench:
    """Loads services for cases, and keeps one as long as cases want the same.

    Attributes:
        service: the one that is loaded.
        watch: over its staging memory.
        late: seconds that the latest call took beyond its limit.
    """

    def __init__(self, engine: str, call_layer: str) -> None:
        self._engine = engine
        self._call_layer = call_layer
        self._group = ""
        self.service: Service | None = None
        self.watch = Watch()
        self.late = 0.0

    def close(self) -> None:
        """Close the service that is kept."""
        if self.service is not None:
            self.service.close()
        self._group, self.service = "", None

    def run(self, case: Case, drill: Callable[[Bench], object] | None) -> tuple[list[dict[str, Any]], str]:
        """Outcomes of loading and of every call, and faults of the surroundings afterwards.

        A `drill` is done once the service is loaded.
        """
        found = []
        if self.service is None or self._group != case.group:
            self.close()
            said = self._timed(case.timeout, lambda: self._load(case))
            if "error" in said:
                return [said], ""
        service = self.service
        assert service is not None
        if drill is not None:
            drill(self)
        for module, function, args in case.calls:
            found.append(self._timed(case.timeout, lambda: _call(service, module, function, args, case.timeout)))  # noqa: B023
        problem = self._problem(service, case)
        if case.spoils or problem:
            self.close()
        return found, problem

    def _load(self, case: Case) -> None:
        self.watch = Watch()
        functions = host_functions(self._call_back) if case.group == "liar" else {}
        timeout = case.timeout if case.timeout == SOON and case.group != "liar" else LOADING
        with patch.object(context, "Staging", self.watch.make):
            self.service = load(modules(case.group), self._engine, self._call_layer, functions, timeout=timeout)
        self._group = case.group

    def _call_back(self) -> object:
        assert self.service is not None
        return self.service.call("neighbour", "intact", [])

    def _timed(self, timeout: float, run: Callable[[], object]) -> dict[str, Any]:
        start = time.thread_time()
        try:
            value = run()
        except MarineError as error:
            self._late(start, timeout)
            return {"error": failure(error).error, "sites": failure(error).sites}
        self._late(start, timeout)
        return {"value": value}

    def _late(self, start: float, timeout: float) -> None:
        self.late = max(self.late, time.thread_time() - start - timeout)

    def _problem(self, service: Service, case: Case) -> str:
        if problem := self.watch.problem():
            return problem
        if case.group != "liar":
            return ""
        service.call("liar", "tell", [0, 0, 0, 0])
        if not service.call("neighbour", "intact", []) or not service.call("outer", "intact", []):
            return "an honest module's memory was written to"
        if service.call("neighbour", "text", ["äß"]) != "äß":
            return "an honest module does not work any more"
        if not case.spoils and service.call("outer", "text", ["äß"]) != "äß":
            return "the service does not work any more"
        return ""


def _call(service: Service, module: str, function: str, args: list[Any], timeout: float) -> str:
    if function.startswith("batch "):
        rows = service.call_batch(module, function.removeprefix("batch "), [args] * 3, timeout=timeout)
        # Where a row is interrupted that has hardly begun is a matter of luck: classes are enough.
        return _short([type(row).__name__ if isinstance(row, MarineError) else shown(row) for row in rows])
    return _short(shown(service.call(module, function, args, timeout=timeout)))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 400 else f"{text[:80]}… {len(text)} {hashlib.sha256(text.encode()).hexdigest()}"


@contextmanager
def quiet() -> Iterator[Any]:
    """The real standard output, while descriptor 1 leads nowhere."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        yield out


def main(engine: str, call_layer: str) -> None:
    """Run the cases that are asked for."""
    asked = json.load(sys.stdin)
    known = {case.name: case for case in [*family(full=asked["full"]), *_DRILLS]}
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA_LIMIT, hard))
    bench = Bench(engine, call_layer)
    with quiet() as out:
        for name in asked["names"]:
            print(json.dumps({"begin": name}), file=out, flush=True)
            faulthandler.dump_traceback_later(asked.get("hang", HANG), exit=True)
            forget_peak()
            before, bench.late = peak(), 0.0
            outcomes, problem = bench.run(known[name], DRILLS.get(name))
            faulthandler.cancel_dump_traceback_later()
            told = {"end": name, "outcomes": outcomes, "problem": problem}
            print(json.dumps({**told, "grown": (peak() - before) >> 20, "late": bench.late}), file=out, flush=True)
        bench.close()


def _take_memory() -> None:
    assert len(b"x" * (300 << 20))


def _raise() -> None:
    raise ZeroDivisionError("not one of ours")


def _write_to_staging(bench: Bench) -> None:
    assert bench.watch.staging is not None
    bench.watch.staging.memory.write(FREE + 4, b"stray")


def _write_to_neighbour(bench: Bench) -> None:
    assert bench.service is not None
    instance = bench.service._linked["neighbour"].instance
    assert instance is not None
    assert instance.memory is not None
    instance.memory.write(PAGE + 1234, b"!")


DRILLS: dict[str, Callable[[Bench], object]] = {
    "drill: abort": lambda _: os.abort(),
    "drill: fault": lambda _: ctypes.string_at(1),
    "drill: hang": lambda _: time.sleep(3600),
    "drill: leave": lambda _: os._exit(0),
    "drill: raise": lambda _: _raise(),
    "drill: write to staging": _write_to_staging,
    "drill: write to a neighbour": _write_to_neighbour,
    "drill: take memory": lambda _: _take_memory(),
    "drill: take it again": lambda _: _take_memory(),
    "drill: calm": lambda _: None,
    "drill: calm again": lambda _: None,
}
"""Misdeeds that a worker is told to do, so that it is seen that `runs` notices."""

_DRILLS = [Case(name, "liar", (("liar", "text", ["x"]),)) for name in DRILLS]

if __name__ == "__main__":
    main(*sys.argv[1:])

"""Messages and answers as bytes; errors with class, text, attributes and the chain of their causes.

Pickle drops causes, and some errors can't be pickled or come back as something else. An error that does not survive
is replaced by one that describes it. Tracebacks stay behind; for errors of host functions their text is a note.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from marine_runtime.errors import MarineError
from marine_runtime.lazy.typing import Any
from marine_runtime.pool.errors import PoolError
from marine_runtime.pool.job import Job, Reply, Request

_MAX_CHAIN = 64
_MOST_TEXT = 2000

Link = tuple[bytes, str]
"""An error as it is pickled, and the text of what stands for it where it can't be read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcomes of some calls of a message.

    Attributes:
        replies: the outcome of each job, by its position in the message.
        poisoned: whether the instance must not run another call; the jobs that are left have not begun then.
        last: whether no other answer follows.
    """

    replies: list[tuple[int, Reply]]
    poisoned: bool = False
    last: bool = True


def pack_message(number: int, jobs: Sequence[Job]) -> bytes:
    """The message `number`, of jobs that may travel together, as bytes."""
    request = jobs[0].request
    # As a tuple it is pickled faster than as an instance.
    fields = (number, request.module, request.function, request.options, [job.request.rows for job in jobs])
    return pickle.dumps(fields, protocol=pickle.HIGHEST_PROTOCOL)


def unpack_message(data: bytes) -> tuple[int, list[Request]]:
    """The number of a message, and a request for each of its jobs."""
    number, module, function, options, parts = pickle.loads(data)  # noqa: S301  # from our own parent
    return number, [Request(module, function, rows, options) for rows in parts]


def pack_answer(answer: Answer) -> bytes:
    """An answer as bytes; a result that can't be written becomes an error."""
    fields = [(position, *_fields(reply)) for position, reply in answer.replies]
    try:
        return pickle.dumps((fields, answer.poisoned, answer.last), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # nested too deeply, or no memory
        fields = [(position, *_writable(results, errors, seconds)) for position, results, errors, seconds in fields]
        return pickle.dumps((fields, answer.poisoned, answer.last), protocol=pickle.HIGHEST_PROTOCOL)


def _fields(reply: Reply) -> tuple[list[Any], dict[int, list[Link]], float]:
    errors = {position: pack_error(error) for position, error in reply.errors.items()}
    return reply.results, errors, reply.seconds


def _writable(results: list[Any], errors: dict[int, list[Link]], seconds: float) -> tuple[Any, Any, float]:
    """The same, with errors in place of results that can't be written."""
    try:
        pickle.dumps(results, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as problem:
        text = f"the result can't be sent to the caller ({type(problem).__name__}: {problem})"
        results = [None] * len(results)
        errors = {position: pack_error(PoolError(text)) for position in range(len(results))}
    return results, errors, seconds


def unpack_answer(data: bytes) -> Answer:
    """The inverse of `pack_answer`."""
    fields, poisoned, last = pickle.loads(data)  # noqa: S301  # from our own child
    replies = [
        (position, Reply(results, {row: unpack_error(links) for row, links in errors.items()}, seconds=seconds))
        for position, results, errors, seconds in fields
    ]
    return Answer(replies, poisoned, last)


def pack_error(error: BaseException) -> list[Link]:
    """An error and its causes, outermost first."""
    links: list[Link] = []
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and len(links) < _MAX_CHAIN and id(step) not in seen:
        seen.add(id(step))
        links.append(_pack(step))
        step = step.__cause__
    return links


def unpack_error(links: list[Link]) -> BaseException:
    """The inverse of `pack_error`."""
    chain = [_unpack(*link) for link in links]
    for outer, inner in pairwise(chain):
        outer.__cause__ = inner
    return chain[0]


# User code may fail in any way, and raise anything, while its errors are written, read and described.


def _pack(error: BaseException) -> Link:
    text = f"{type(error).__module__}.{type(error).__qualname__}: {_text(error)}"
    note = "" if isinstance(error, MarineError) else _note(error)
    with suppress(BaseException):
        if note:
            error.add_note(note)
            note = ""
    with suppress(BaseException):
        data = pickle.dumps(error, protocol=pickle.HIGHEST_PROTOCOL)
        back: Any = pickle.loads(data)  # noqa: S301  # what was just written
        if type(back) is type(error) and str(back) == str(error):
            return data, text[:_MOST_TEXT]
    other = PoolError(text)
    notes = getattr(error, "__notes__", ())
    for item in (*(notes if isinstance(notes, list) else ()), *([note] if note else ())):
        other.add_note(_text(item))
    return pickle.dumps(other, protocol=pickle.HIGHEST_PROTOCOL), text[:_MOST_TEXT]


def _unpack(data: bytes, text: str) -> BaseException:
    try:
        error = pickle.loads(data)  # noqa: S301  # from our own child
    except BaseException:
        error = None
    # A class that only the worker process has, for one.
    return error if isinstance(error, BaseException) else PoolError(text)


def _note(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
    except BaseException:
        return ""
    return "in the worker process:\n" + "".join(lines).rstrip()


def _text(value: object) -> str:
    try:
        return str(value)
    except BaseException:
        return "(its text can't be read)"

"""Requests and replies as bytes; errors with class, text, attributes and the chain of their causes.

Pickle drops causes, and some errors can't be pickled or come back as something else. An error that does not survive
is replaced by one that says what it was. Tracebacks stay behind; for errors of host functions their text is a note.
"""

from __future__ import annotations

import pickle
import traceback
from itertools import pairwise
from typing import Any

from marine_runtime.errors import MarineError
from marine_runtime.pool.errors import PoolError
from marine_runtime.pool.queue import Reply, Request

_MAX_CHAIN = 64


def pack_request(request: Request) -> bytes:
    """A request as bytes."""
    # As a tuple it is pickled faster than as an instance.
    fields = (request.module, request.function, request.rows, request.options)
    return pickle.dumps(fields, protocol=pickle.HIGHEST_PROTOCOL)


def unpack_request(data: bytes) -> Request:
    """The inverse of `pack_request`."""
    return Request(*pickle.loads(data))  # noqa: S301  # from our own parent


def pack_reply(reply: Reply) -> bytes:
    """A reply as bytes; a result that can't be written becomes an error."""
    errors = {position: pack_error(error) for position, error in reply.errors.items()}
    try:
        return pickle.dumps((reply.results, errors, reply.poisoned), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as problem:  # nested too deeply, or no memory
        text = f"the result can't be sent to the caller ({type(problem).__name__}: {problem})"
        none = [None] * len(reply.results)
        errors = {position: pack_error(PoolError(text)) for position in range(len(none))}
        return pickle.dumps((none, errors, reply.poisoned), protocol=pickle.HIGHEST_PROTOCOL)


def unpack_reply(data: bytes) -> Reply:
    """The inverse of `pack_reply`."""
    results, errors, poisoned = pickle.loads(data)  # noqa: S301  # from our own child
    return Reply(results, {position: unpack_error(links) for position, links in errors.items()}, poisoned)


def pack_error(error: BaseException) -> list[bytes]:
    """An error and its causes, outermost first."""
    links: list[bytes] = []
    step: BaseException | None = error
    while step is not None and len(links) < _MAX_CHAIN:
        links.append(_pack(step))
        step = step.__cause__
    return links


def unpack_error(links: list[bytes]) -> BaseException:
    """The inverse of `pack_error`."""
    chain: list[BaseException] = [pickle.loads(link) for link in links]  # noqa: S301  # from our own child
    for outer, inner in pairwise(chain):
        outer.__cause__ = inner
    return chain[0]


def _pack(error: BaseException) -> bytes:
    if not isinstance(error, MarineError):
        lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
        error.add_note("in the worker process:\n" + "".join(lines).rstrip())
    try:
        data = pickle.dumps(error, protocol=pickle.HIGHEST_PROTOCOL)
        back: Any = pickle.loads(data)  # noqa: S301  # what was just written
        if type(back) is type(error) and str(back) == str(error):
            return data
    except Exception:  # noqa: S110  # user code may fail in any way: the substitute below says what it was
        pass
    try:
        text = str(error)
    except Exception:
        text = "(its text can't be read)"
    other = PoolError(f"{type(error).__module__}.{type(error).__qualname__}: {text}")
    for note in getattr(error, "__notes__", ()):
        other.add_note(str(note))
    return pickle.dumps(other, protocol=pickle.HIGHEST_PROTOCOL)

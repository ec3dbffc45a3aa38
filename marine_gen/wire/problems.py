"""Problems: what goes wrong with a request, as codes, statuses and documents (RFC 9457).

Codes never change their meaning. Those of calls stand for the error classes of `marine_runtime`, so that a client can
raise what the server caught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marine_runtime import (
    ArgumentError,
    CallError,
    CallTimeoutError,
    ExitError,
    FuelLimitError,
    MarineError,
    MemoryLimitError,
    ResultError,
    StateError,
    TrapError,
    ValueLimitError,
)
from marine_runtime.pool import PoolClosedError, PoolError, PoolFullError, WorkerDiedError

MEDIA_TYPE = "application/problem+json"

TYPE = "urn:marine-gen:problem:"
"""The beginning of the `type` of a document; the code is the rest."""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem.

    Attributes:
        code: its name in documents, logs and metrics.
        status: the HTTP status.
        title: a sentence that is the same each time.
    """

    code: str
    status: int
    title: str


KINDS: Mapping[str, ProblemKind] = {
    kind.code: kind
    for kind in (
        ProblemKind("json", 400, "The body is not JSON"),
        ProblemKind("request", 400, "The request is malformed"),
        ProblemKind("token", 401, "A bearer token is needed"),
        ProblemKind("origin", 403, "Pages of other origins may not call this server"),
        ProblemKind("not-found", 404, "There is no such resource"),
        ProblemKind("method", 405, "The resource does not support this method"),
        ProblemKind("not-acceptable", 406, "No accepted media type is available"),
        ProblemKind("slow", 408, "The request took too long to arrive"),
        ProblemKind("body-size", 413, "The body is too large"),
        ProblemKind("media-type", 415, "The media type of the body is not supported"),
        ProblemKind("host", 421, "The server does not serve this host"),
        ProblemKind("argument", 422, "An argument does not fit the signature"),
        ProblemKind("headers", 431, "The header fields are too large"),
        ProblemKind("trap", 500, "The guest trapped"),
        ProblemKind("exit", 500, "The guest ended its program"),
        ProblemKind("fuel-limit", 500, "The call ran out of fuel"),
        ProblemKind("value-limit", 500, "The parts of a value overlap too often"),
        ProblemKind("result", 500, "The result can't be represented"),
        ProblemKind("call", 500, "The call failed"),
        ProblemKind("host-function", 500, "A host function failed"),
        ProblemKind("worker", 500, "The worker of the call died"),
        ProblemKind("internal", 500, "The server failed"),
        ProblemKind("busy", 503, "Too many calls are waiting"),
        ProblemKind("instances", 503, "There are too many instances"),
        ProblemKind("closing", 503, "The server is closing"),
        ProblemKind("timeout", 504, "The call took too long"),
        ProblemKind("memory-limit", 507, "The service reached its memory limit"),
    )
}

RETRY = frozenset({"busy", "instances", "closing"})
"""Codes whose responses say when to try again."""

CLASSES: Mapping[str, type[Exception]] = {
    "argument": ArgumentError,
    "not-found": ArgumentError,
    "json": ArgumentError,
    "exit": ExitError,
    "trap": TrapError,
    "timeout": CallTimeoutError,
    "fuel-limit": FuelLimitError,
    "value-limit": ValueLimitError,
    "memory-limit": MemoryLimitError,
    "call": CallError,
    "result": ResultError,
    "worker": WorkerDiedError,
    "busy": PoolFullError,
    "closing": PoolClosedError,
}
"""The error class that a client raises for a code."""

_ORDER: tuple[tuple[type[BaseException], str], ...] = (
    (ArgumentError, "argument"),
    (ExitError, "exit"),
    (TrapError, "trap"),
    (CallTimeoutError, "timeout"),
    (FuelLimitError, "fuel-limit"),
    (ValueLimitError, "value-limit"),
    (MemoryLimitError, "memory-limit"),
    (CallError, "call"),
    (ResultError, "result"),
    (WorkerDiedError, "worker"),
    (PoolFullError, "busy"),
    (PoolClosedError, "closing"),
    (PoolError, "closing"),
    (StateError, "closing"),
)


class ProblemError(MarineError):
    """A request that is answered by a problem document.

    Attributes:
        kind: the kind of problem.
        detail: the details of this occurrence.
        members: further members of the document.
        headers: further header fields of the response.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        members: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail = KINDS[code], detail
        self.members, self.headers = dict(members or {}), dict(headers or {})

    def document(self, request: str = "") -> dict[str, Any]:
        """The problem document; `request` is the identifier of the request in the log."""
        kind = self.kind
        document = {"type": TYPE + kind.code, "title": kind.title, "status": kind.status, "detail": self.detail}
        document |= {"code": kind.code, **self.members}
        return document | ({"request": request} if request else {})


def problem_of(error: BaseException) -> ProblemError:
    """The problem document of an exception: without a traceback, or the text of a host function's exception."""
    if isinstance(error, ProblemError):
        return error
    code = next((code for kind, code in _ORDER if isinstance(error, kind)), None)
    foreign = error if code is None else _foreign(error)
    if foreign is not None:
        if isinstance(foreign, MarineError):
            return ProblemError("internal", "the request failed; the log of the server says why")
        name = type(foreign).__name__
        return ProblemError("host-function", f"a host function raised {name}; the log of the server says more")
    assert code is not None
    members: dict[str, Any] = {}
    if isinstance(error, ArgumentError):
        members["path"] = error.path
    if isinstance(error, CallError):
        members["path"] = error.path
        if error.site is not None:
            site = error.site
            members["site"] = {
                "module": site.module,
                "function": site.function,
                "side": site.side,
                "index": site.index,
                "instruction": site.instruction,
            }
        members["causes"] = _causes(error)
    if isinstance(error, ExitError):
        members["exit_code"] = error.code
    if isinstance(error, (FuelLimitError, MemoryLimitError)):
        members["limit"] = error.limit
    if isinstance(error, MemoryLimitError):
        members["rejects"] = error.rejects
    return ProblemError(code, str(error), members)


def _foreign(error: BaseException) -> BaseException | None:
    """The exception of a host function that `console.host_file` has turned into a failure of the call, if it is one."""
    while type(error) is CallError and isinstance(error.__cause__, Exception):
        if not isinstance(error.__cause__, MarineError):
            return error.__cause__ if error.reason.startswith("host function ") else None
        error = error.__cause__
    return None


def _causes(error: CallError) -> list[str]:
    """The errors of the adapters that a failure passed, down to the first one; those of host functions are left out."""
    causes, cause = [], error.__cause__
    while isinstance(cause, CallError):
        causes.append(str(cause))
        cause = cause.__cause__
    return causes

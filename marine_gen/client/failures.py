"""Problem documents as the errors that a local service raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marine_gen.wire.problems import CLASSES
from marine_runtime import (
    ArgumentError,
    CallError,
    ExitError,
    FuelLimitError,
    MarineError,
    MemoryLimitError,
    Site,
)


class RemoteError(MarineError):
    """The server refused a call for a reason that a local service does not have.

    Attributes:
        code: the problem code, such as `token`; empty when the answer did not come from a marine-gen server.
        status: the HTTP status; 0 when there was no answer.
    """

    def __init__(self, message: str, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code, self.status = code, status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.code, self.status)


def error_of(document: Any, status: int) -> Exception:
    """The error that a problem document represents."""
    if not isinstance(document, Mapping) or not isinstance(document.get("code"), str):
        return RemoteError(f"the answer is neither a result nor a problem (status {status})", status=status)
    code, detail = document["code"], str(document.get("detail", ""))
    kind = CLASSES.get(code)
    if kind is None:
        return RemoteError(detail, code, status)
    if issubclass(kind, CallError):
        return _call_error(kind, document, detail)
    error = kind(detail)
    if isinstance(error, ArgumentError):
        error.path = str(document.get("path", "$"))
    return error


def _call_error(kind: type[CallError], document: Mapping[str, Any], detail: str) -> CallError:
    site, path = _site(document.get("site")), str(document.get("path", "$"))
    reason = detail.removeprefix(f"{site}: ") if site else detail
    reason = reason.removeprefix(f"{path}: ") if path != "$" else reason
    more: dict[str, Any] = {}
    if kind is ExitError:
        more["code"] = document.get("exit_code")
    if kind is FuelLimitError:
        more["limit"] = document.get("limit")
    error = kind(reason, site, path, **more)
    if isinstance(error, MemoryLimitError):
        error.rejects, error.limit = document.get("rejects", 0), document.get("limit")
    link: BaseException = error
    for text in document.get("causes", ()):
        link.__cause__ = CallError(str(text))
        link = link.__cause__
    return error


def _site(document: Any) -> Site | None:
    if not isinstance(document, Mapping):
        return None
    return Site(
        module=str(document.get("module", "")),
        function=str(document.get("function", "")),
        side=str(document.get("side", "")),
        index=int(document.get("index", 0)),
        instruction=str(document.get("instruction", "")),
    )

"""Paths of requests.

`POST` to a path of two segments is always a call, and nothing else is: the server's own paths have one segment, or
three and more under `/instances`, or two and another method. So a module may have any name, `docs`, `instances` and
`..` included; where a client can't write a name in a path, `/batch` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from marine_gen.wire.problems import ProblemError


def path_of(module: str, function: str) -> str:
    """The path of a function, as clients write it."""
    return f"/{quote(module, safe='')}/{quote(function, safe='')}"


def raw_path(scope: Mapping[str, Any]) -> bytes:
    """The path of a request below the mount point of the application, percent-encoded."""
    root, raw = scope.get("root_path", ""), scope.get("raw_path")
    if raw and not root and b"?" not in raw:
        return bytes(raw)
    path: bytes = quote(scope["path"]).encode("ascii") if raw is None else raw.partition(b"?")[0]
    parts, depth = path.split(b"/"), root.count("/") + 1
    if unquote_to_bytes(b"/".join(parts[:depth])) != root.encode():  # clients may escape what need not be
        return path
    return b"".join(b"/" + part for part in parts[depth:])


def mount_point(scope: Mapping[str, Any]) -> str:
    """The path at which the application is mounted, percent-encoded; empty when it is not."""
    return quote(scope.get("root_path", ""))


def segments(raw: bytes) -> list[str]:
    """The segments of a path, decoded.

    Raises:
        ProblemError: one is not UTF-8.
    """
    try:
        return [unquote_to_bytes(part).decode() for part in raw.split(b"/")[1:]]
    except UnicodeDecodeError:
        raise ProblemError("not-found", "the path is not UTF-8") from None

"""Durations and JSON results as text, as Marine's REPL writes them."""

from __future__ import annotations

import re

_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"))
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+')
_INDENT = "  "


def duration(nanoseconds: int) -> str:
    """A time in the largest unit that it has one of, with all its digits: `42.985µs`, `100ms`, `1.5s`."""
    for size, unit in _UNITS:
        if nanoseconds >= size:
            whole, rest = divmod(nanoseconds, size)
            digits = f"{rest:0{len(str(size)) - 1}d}".rstrip("0")
            return f"{whole}.{digits}{unit}" if digits else f"{whole}{unit}"
    return f"{nanoseconds}ns"


def pretty(text: str) -> str:
    """JSON text over several lines, each indented by two spaces per level; numbers keep their spelling."""
    parts: list[str] = []
    level = 0
    pieces = _PIECES.findall(text)
    for position, piece in enumerate(pieces):
        following = pieces[position + 1] if position + 1 < len(pieces) else ""
        if piece in ("[", "{"):
            parts.append(piece)
            if following not in ("]", "}"):
                level += 1
                parts.append("\n" + _INDENT * level)
        elif piece in ("]", "}"):
            if parts[-1] not in ("[", "{"):
                level -= 1
                parts.append("\n" + _INDENT * level)
            parts.append(piece)
        elif piece == ",":
            parts.append(",\n" + _INDENT * level)
        elif piece == ":":
            parts.append(": ")
        else:
            parts.append(piece)
    return "".join(parts)

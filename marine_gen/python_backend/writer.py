"""An indenting writer for statement lists. It knows nothing of what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

MARK = "\x00"
"""Starts a line that is no code but a mark for the line table; `render` takes marks out again."""


def literal(text: str) -> str:
    """A Python literal for `text`, in double quotes where that needs no escapes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in text else plain


class Writer:
    """Collects lines at a current indentation of four spaces a level."""

    def __init__(self, level: int = 0) -> None:
        self._level = level
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.lines.append(f"{'    ' * self._level}{text}" if text else "")

    def mark(self, text: str) -> None:
        """Write a mark that applies to the next line."""
        self.lines.append(f"{MARK}{text}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write `head`, and what follows one level deeper."""
        self.line(head)
        self._level += 1
        yield
        self._level -= 1

    def text(self) -> str:
        """All lines, joined."""
        return "\n".join(self.lines)

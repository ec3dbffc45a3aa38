"""An indenting writer for C. It knows nothing of what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Writer:
    """Collects lines at a current indentation of four spaces a level."""

    def __init__(self) -> None:
        self._level = 0
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        """Write one line."""
        self.lines.append("    " * self._level + text)

    def gap(self) -> None:
        """Write an empty line, but not two and not at the start."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    @contextmanager
    def block(self, head: str, tail: str = "}") -> Iterator[None]:
        """Write `head {`, what follows one level deeper, and `tail`."""
        self.line(f"{head} {{")
        self._level += 1
        yield
        self._level -= 1
        self.line(tail)

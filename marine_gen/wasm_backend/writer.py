"""An indenting writer for Wasm text. It knows nothing of what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from marine_runtime.messages import shortened


class Writer:
    """Collects lines at a current indentation of two spaces a level."""

    def __init__(self, level: int = 1) -> None:
        self._level = level
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.lines.append(f"{'  ' * self._level}{text}" if text else "")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write `(head`, what follows one level deeper, and `)`."""
        self.line(f"({head}")
        self._level += 1
        yield
        self._level -= 1
        self.line(")")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Write an `if` without `else`."""
        with self.block(f"if {condition}"), self.block("then"):
            yield


def comment(text: str) -> str:
    """`text` as a line comment, whatever characters it has."""
    return ";; " + "".join(c if c.isprintable() and c.isascii() else "?" for c in shortened(text, 120))


def const(number: int, ty: str = "i32") -> str:
    """A constant."""
    return f"({ty}.const {number})"


def get(name: str) -> str:
    """A local variable."""
    return f"(local.get ${name})"

"""An indenting writer of statement lists, in the block style of any of the generated languages.

It knows nothing of what it writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MARK = "\x00"
"""Starts a line that is no code but a mark for a line table; whoever assembles a file takes marks out again."""


@dataclass(frozen=True, slots=True)
class Style:
    """The block style of a language.

    Attributes:
        indent: the text that one level adds in front of a line.
        opening: written after the head of a block.
        closing: the line that ends a block; empty for none.
        bracket: written before the head of a block.
    """

    indent: str
    opening: str = ""
    closing: str = ""
    bracket: str = ""


PYTHON = Style("    ")
C = Style("    ", opening=" {", closing="}")
WAT = Style("  ", closing=")", bracket="(")


class Writer:
    """Collects lines at a current indentation."""

    def __init__(self, style: Style, level: int = 0) -> None:
        self._style = style
        self._level = level
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.lines.append(f"{self._style.indent * self._level}{text}" if text else "")

    def mark(self, text: str) -> None:
        """Write a mark that applies to the next line."""
        self.lines.append(f"{MARK}{text}")

    def gap(self) -> None:
        """Write an empty line, but not two in a row and none at the start."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    @contextmanager
    def block(self, *heads: str, tail: str = "") -> Iterator[None]:
        """Write the `heads`, each one level deeper than the one before, then what follows inside the last of them.

        `tail` takes the place of the style's closing line.
        """
        style = self._style
        for head in heads:
            self.line(f"{style.bracket}{head}{style.opening}")
            self._level += 1
        yield
        for _ in heads:
            self._level -= 1
            if tail or style.closing:
                self.line(tail or style.closing)

    def text(self) -> str:
        """All lines, joined."""
        return "\n".join(self.lines)

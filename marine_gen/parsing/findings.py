"""Collects the findings of one text, with their places."""

from __future__ import annotations

from dataclasses import replace

from lark import Token
from lark.tree import Meta

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.parsing.literals import LiteralError
from marine_runtime.texts import shortened

MAX_FINDINGS = 100
"""Enough for a person; a hostile text cannot make the report larger than itself by more than a factor."""

_SHOWN = 40


def span_of(item: Token | Meta) -> SourceSpan:
    """The place of `item`; the end is kept when it is on the same line."""
    same_line = item.line == item.end_line
    return SourceSpan(
        line=item.line or 1, column=item.column or 1, end_column=(item.end_column or 0) if same_line else 0
    )


def shown(text: str) -> str:
    """`text` in a form that fits a message: short and printable."""
    short = shortened(text, _SHOWN)
    return "".join(char if char.isprintable() else f"U+{ord(char):04X}" for char in short)


class Findings:
    """The findings so far, in the order in which they were made."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._items: list[Diagnostic] = []

    @property
    def full(self) -> bool:
        """True if further findings would be dropped."""
        return len(self._items) >= MAX_FINDINGS

    def add(
        self, code: Code, message: str, span: SourceSpan, *, label: str = "", help: str = "", within: str = ""
    ) -> None:
        """Note one finding."""
        if not self.full:
            self._items.append(Diagnostic(code, message, self._source, span, within, label, (), help))

    def add_literal_error(self, token: Token, error: LiteralError) -> None:
        """Note what is wrong inside the string `token`, at the character where it is."""
        start = span_of(token)
        column = start.column + error.index
        span = SourceSpan(line=start.line, column=column, end_column=column + error.length)
        help_line = r"escapes are \" \' \\ \t \n \r, \hh for a byte in hexadecimal, and \u{h…} for a character"
        self.add(error.code, error.message, span, help=help_line)

    def raise_if_any(self) -> None:
        """Raise all findings in the order of the text.

        Raises:
            DiagnosticError: there are any.
        """
        if not self._items:
            return
        items = sorted(self._items, key=lambda item: (item.span.line, item.span.column) if item.span else (0, 0))
        if self.full:
            items[-1] = replace(items[-1], notes=(*items[-1].notes, f"no more than {MAX_FINDINGS} findings are shown"))
        raise DiagnosticError(items)

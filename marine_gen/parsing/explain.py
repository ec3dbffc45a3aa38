"""Wording of lexical and syntax errors that texts in every grammar share."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.parsing.findings import Findings, shown

END = "$END"
"""The terminal at the end of a form."""


def report_illegal(run: str, span: SourceSpan, findings: Findings, help_line: str) -> None:
    """Report characters that cannot start or continue any token; a byte-order mark gets a help line of its own."""
    if run.startswith("\ufeff"):
        help_line = "the text starts with a byte-order mark: save the file without one"
    what = "character" if len(run) == 1 else "characters"
    findings.add(Code.TEXT_LEXICAL, f"illegal {what} `{shown(run)}`", span, help=help_line)


def description(token: Token) -> str:
    """A token as messages show it."""
    return f"string {shown(token)}" if token.type == "STRING" else f"`{shown(token)}`"


def alternatives(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"

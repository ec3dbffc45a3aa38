"""Blanks the comments of an adapter text, keeping every line and column.

Block comments nest, so a grammar of regular expressions cannot skip them. Strings are stepped over; what is inside them
is read later.
"""

from __future__ import annotations

import re

from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.parsing.findings import Findings

_INTERESTING = re.compile(r'"[^"\\\n\r]*(?:\\[^\n\r][^"\\\n\r]*)*"?|;;[^\n]*|\(;')
_BRACKET = re.compile(r"\(;|;\)")
_VISIBLE = re.compile(r"[^\n]")


def blank_comments(text: str, findings: Findings) -> str:
    """`text` with spaces in place of comments; an unterminated one is noted and extends to the end."""
    pieces = []
    position = 0
    while (match := _INTERESTING.search(text, position)) is not None:
        start, end = match.span()
        pieces.append(text[position:start])
        if match.group().startswith('"'):
            pieces.append(match.group())
        else:
            if match.group() == "(;":
                end = _block_end(text, start, findings)
            pieces.append(_VISIBLE.sub(" ", text[start:end]))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def _block_end(text: str, start: int, findings: Findings) -> int:
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += 1 if match.group() == "(;" else -1
        if not depth:
            return match.end()
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    findings.add(
        Code.TEXT_LEXICAL,
        "the block comment is not closed",
        SourceSpan(line=line, column=column, end_column=column + 2),
        label="it starts here",
        help="block comments nest: every `(;` needs its own `;)`",
    )
    return len(text)

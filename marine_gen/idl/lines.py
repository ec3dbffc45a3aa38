"""Cuts a description into logical lines of tokens, and reports characters that no token has.

A logical line ends at its line break, except inside parentheses. A parenthesis that is not closed must not swallow the
rest of the text, so a line that starts in the first column or with `fn NAME` ends the one before it in any case.
`transform` reads the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lark import Token

from marine_gen.diagnostics import SourceSpan
from marine_gen.idl.explain import explain_illegal
from marine_gen.idl.grammar import HEADER, NAME_TERMINALS, STRING_TERMINALS, description_parser
from marine_gen.parsing.findings import Findings
from marine_gen.parsing.syntax import lexical_errors, tokens_of

Line = Sequence[Token]
"""The tokens of one logical line, at least one, without line breaks."""


def read_lines(text: str, findings: Findings) -> Iterator[tuple[Line, bool]]:
    """Every logical line of `text`, with whether all its tokens are legal; those that aren't are reported."""
    if text.startswith("\ufeff"):
        explain_illegal("\ufeff", SourceSpan(line=1, column=1, end_column=2), findings)
        text = text[1:]
    for line in _split(tokens_of(description_parser(), text, HEADER)):
        if findings.full:
            return
        yield line, not lexical_errors(line, STRING_TERMINALS, findings, explain_illegal)


def _split(tokens: Sequence[Token]) -> Iterator[Line]:
    line: list[Token] = []
    depth = 0
    fresh = True  # whether the next token is the first on its line of text
    for index, token in enumerate(tokens):
        if token.type == "NEWLINE":
            fresh = True
            if depth == 0 and line:
                yield line
                line = []
            continue
        if fresh and line and _starts(tokens, index):
            yield line
            line, depth = [], 0
        fresh = False
        line.append(token)
        if token.type == "LPAR":
            depth += 1
        elif token.type == "RPAR":
            depth = max(depth - 1, 0)
    if line:
        yield line


def _starts(tokens: Sequence[Token], index: int) -> bool:
    """True if the token, the first on its line of text, can't be a continuation."""
    first = tokens[index]
    if first.column == 1:
        return first.type != "RPAR"
    following = tokens[index + 1].type if index + 1 < len(tokens) else ""
    return first.type == "FN" and following in NAME_TERMINALS

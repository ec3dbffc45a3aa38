"""Tokens and trees of a text, form by form, whatever the grammar.

All tokens are made first, so that a bad character anywhere is found; then each form (a directive, a line) is parsed by
itself, so that an error spoils only its own form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from lark import Lark, Token, Tree, UnexpectedToken

from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.parsing.findings import Findings, shown, span_of
from marine_gen.parsing.literals import is_closed

ExplainIllegal = Callable[[str, SourceSpan, Findings], None]
"""Reports a run of characters that cannot start or continue any token."""


class SyntaxProblem(NamedTuple):
    """A token in the wrong place, the one before it, and the terminals that could be there instead."""

    token: Token
    previous: Token | None
    accepts: Collection[str]


def tokens_of(parser: Lark, text: str, start: str) -> list[Token]:
    """All tokens of a text, from the parser's own lexer, but without the parser: nothing is fed yet."""
    return list(parser.parse_interactive(text, start=start).lexer_thread.lex(None))  # type: ignore[no-untyped-call]


def parse_form(parser: Lark, form: Sequence[Token], start: str) -> Tree[Token] | SyntaxProblem:
    """The tree of `form` under the rule `start`, or the token at which it can't go on."""
    state = parser.parse_interactive(start=start)
    previous: Token | None = None
    try:
        for token in form:
            state.feed_token(token)
            previous = token
        tree = state.feed_token(Token.new_borrow_pos("$END", "", form[-1]))
    except UnexpectedToken as error:
        return SyntaxProblem(error.token, previous, state.accepts())  # type: ignore[no-untyped-call]
    assert isinstance(tree, Tree)
    return tree


def lexical_errors(
    form: Sequence[Token], strings: Collection[str], findings: Findings, explain: ExplainIllegal
) -> bool:
    """True if `form` has tokens that no grammar takes; each is reported.

    Args:
        form: the tokens.
        strings: the terminals whose tokens end with a quote.
        findings: the collection that reports are added to.
        explain: reports runs of illegal characters.
    """
    illegal: list[Token] = []
    found = False
    for token in form:
        if token.type == "ILLEGAL":
            # One finding for a run of them, as in a word of another script.
            if illegal and illegal[-1].end_pos != token.start_pos:
                _report_illegal(illegal, findings, explain)
            illegal.append(token)
            found = True
        elif token.type in strings and not is_closed(token):
            found = True
            findings.add(
                Code.TEXT_LEXICAL,
                f"the string {shown(token)} is not closed",
                span_of(token),
                help='a string ends on its line; write a line break as `\\n` and a quote as `\\"`',
            )
    _report_illegal(illegal, findings, explain)
    return found


def _report_illegal(run: list[Token], findings: Findings, explain: ExplainIllegal) -> None:
    if not run:
        return
    start, end = span_of(run[0]), span_of(run[-1])
    explain("".join(run), SourceSpan(start.line, start.column, end.end_column), findings)
    run.clear()


def with_line_feeds(text: str) -> str:
    """`text` with a line feed instead of each carriage return that stands alone, as old editors end lines.

    Comments and findings then end at the same places as the lines that people see. No token holds either character.
    """
    return _LONE_RETURN.sub("\n", text)


_LONE_RETURN = re.compile(r"\r(?!\n)")

"""From text to one tree per `(@interface …)` form, recovering at the next form after an error.

All tokens are made first, so that a bad character anywhere is found; a form that contains one is not parsed.
What the trees mean is the business of `build`, what a syntax error means that of `explain`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lark import Lark, Token, Tree, UnexpectedToken

from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.parsing.comments import blank_comments
from marine_gen.parsing.findings import Findings, shown, span_of
from marine_gen.parsing.literals import is_closed
from marine_gen.text.explain import explain_illegal, explain_syntax
from marine_gen.text.grammar import START, STRING_TERMINALS, adapter_parser

_Explain = Callable[[str, SourceSpan, Findings], None]


class SyntaxProblem(NamedTuple):
    """A token in the wrong place, the one before it, and the terminals that could stand there."""

    token: Token
    previous: Token | None
    accepts: Collection[str]


@dataclass(frozen=True, slots=True)
class Forms:
    """What a text consists of.

    Attributes:
        trees: one `interface` tree per well-formed form, in order.
        version_broken: whether a version directive is among the others, so that none is missing.
    """

    trees: tuple[Tree[Token], ...]
    version_broken: bool


def read_forms(text: str, findings: Findings) -> Forms:
    """Parse every `(@interface …)` form of `text`, and note what is wrong with those that are not well-formed."""
    trees: list[Tree[Token]] = []
    version_broken = False
    for form in _split(tokens_of(adapter_parser(), blank_comments(text, findings), START)):
        if findings.full:
            break
        tree = None if lexical_errors(form, findings) else _parse(form, findings)
        if tree is None:
            version_broken = version_broken or any(token.type == "IT_VERSION" for token in form[:3])
        else:
            trees += (child for child in tree.children if isinstance(child, Tree))
    return Forms(tuple(trees), version_broken)


def tokens_of(parser: Lark, text: str, start: str) -> list[Token]:
    """All tokens of a text, from the parser's own lexer, but without the parser: nothing is fed yet."""
    return list(parser.parse_interactive(text, start=start).lexer_thread.lex(None))  # type: ignore[no-untyped-call]


def _split(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Cut before every `(@interface`, and behind the `)` that closes it; what stands between comes as a form too."""
    start = depth = 0
    for index, token in enumerate(tokens):
        if token.type == "LPAR":
            if index + 1 < len(tokens) and tokens[index + 1].type == "_INTERFACE":
                if start < index:
                    yield tokens[start:index]
                start, depth = index, 0
            depth += 1
        elif token.type == "RPAR":
            depth -= 1
            if depth == 0:
                yield tokens[start : index + 1]
                start = index + 1
    if start < len(tokens):
        yield tokens[start:]


def lexical_errors(form: Sequence[Token], findings: Findings, explain: _Explain = explain_illegal) -> bool:
    """Whether tokens are among `form` that no grammar takes; each is reported, runs of characters by `explain`."""
    illegal: list[Token] = []
    found = False
    for token in form:
        if token.type == "ILLEGAL":
            # One finding for a run of them, as in a word of another script.
            if illegal and illegal[-1].end_pos != token.start_pos:
                _report_illegal(illegal, findings, explain)
            illegal.append(token)
            found = True
        elif token.type in STRING_TERMINALS and not is_closed(token):
            found = True
            findings.add(
                Code.TEXT_LEXICAL,
                f"the string {shown(token)} is not closed",
                span_of(token),
                help='a string ends on its line; write a line break as `\\n` and a quote as `\\"`',
            )
    _report_illegal(illegal, findings, explain)
    return found


def _report_illegal(run: list[Token], findings: Findings, explain: _Explain) -> None:
    if not run:
        return
    start, end = span_of(run[0]), span_of(run[-1])
    explain("".join(run), SourceSpan(start.line, start.column, end.end_column), findings)
    run.clear()


def _parse(form: Sequence[Token], findings: Findings) -> Tree[Token] | None:
    tree = parse_form(adapter_parser(), form, START)
    if isinstance(tree, Tree):
        return tree
    explain_syntax(*tree, findings)
    return None


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

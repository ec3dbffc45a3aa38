"""From text to one tree per `(@interface …)` form, recovering at the next form after an error.

A form that contains a bad character is not parsed. `transform` reads the trees, `explain` words syntax errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lark import Token, Tree

from marine_gen.parsing.findings import Findings
from marine_gen.parsing.syntax import lexical_errors, parse_form, tokens_of
from marine_gen.text.comments import blank_comments
from marine_gen.text.explain import explain_illegal, explain_syntax
from marine_gen.text.grammar import START, STRING_TERMINALS, adapter_parser


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of a text.

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
        tree = None if lexical_errors(form, STRING_TERMINALS, findings, explain_illegal) else _parse(form, findings)
        if tree is None:
            version_broken = version_broken or any(token.type == "IT_VERSION" for token in form[:3])
        else:
            trees += (child for child in tree.children if isinstance(child, Tree))
    return Forms(tuple(trees), version_broken)


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


def _parse(form: Sequence[Token], findings: Findings) -> Tree[Token] | None:
    tree = parse_form(adapter_parser(), form, START)
    if isinstance(tree, Tree):
        return tree
    explain_syntax(*tree, findings)
    return None

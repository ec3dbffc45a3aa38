"""The parser of interface descriptions, made once per process from `interface.lark`."""

from __future__ import annotations

from functools import cache

from lark import Lark

from marine_gen.parsing.grammar import grammar_text, literals_of, make_parser

HEADER, FIELD, FUNCTION = "header", "field", "function"
"""The start rules: what a logical line can be."""

NAME_TERMINALS = frozenset({"NAME", "STRING", "DATA", "IMPORT", "EXPORT", "FN", "AS"})
"""The terminals that the rule `name` accepts."""

STRING_TERMINALS = frozenset({"STRING"})
"""The terminals whose tokens end with a quote."""


@cache
def description_parser() -> Lark:
    """The parser; each of the start rules reads one logical line."""
    grammar = grammar_text("marine_gen.idl", "interface.lark")
    return make_parser(grammar, [HEADER, FIELD, FUNCTION], ["NEWLINE", "WORD", "ILLEGAL"])


@cache
def literal_texts() -> dict[str, str]:
    """The text of every terminal that stands for one word or sign, by terminal name."""
    return literals_of(description_parser())

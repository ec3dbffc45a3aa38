"""Finds the grammar of interface descriptions and makes the Lark parser from it, once per process.

An installed package has the file beside this one; in a checkout it is `grammar/interface.lark`.
"""

from __future__ import annotations

from functools import cache

from lark import Lark

from marine_gen.text.grammar import grammar_text, literals_of, make_parser

HEADER, FIELD, FUNCTION = "header", "field", "function"
"""The start rules: what a logical line can be."""

NAME_TERMINALS = frozenset({"NAME", "STRING", "DATA", "IMPORT", "EXPORT", "FN", "AS"})
"""What the rule `name` takes."""


@cache
def description_parser() -> Lark:
    """The parser; each of the start rules reads one logical line."""
    grammar = grammar_text("marine_gen.idl", "interface.lark")
    return make_parser(grammar, [HEADER, FIELD, FUNCTION], ["NEWLINE", "WORD", "ILLEGAL"])


@cache
def literal_texts() -> dict[str, str]:
    """The text of every terminal that stands for one word or sign, by terminal name."""
    return literals_of(description_parser())

"""The parser of adapter texts, made once per process from `adapter.lark`."""

from __future__ import annotations

from functools import cache

from lark import Lark

from marine_gen.parsing.grammar import grammar_text, literals_of, make_parser

START = "document"
NAME_TERMINALS = frozenset({"ID", "ID_COLON", "QUOTED_ID"})
STRING_TERMINALS = frozenset({"STRING", "QUOTED_ID"})
TYPE_TERMINALS = frozenset(
    {"ARRAY", "BOOL", "BOOLEAN", "BYTE_ARRAY", "F32", "F64", "I32", "I64", "RECORD", "S16", "S32", "S64", "S8"}
    | {"STRING_TYPE", "U16", "U32", "U64", "U8"}
)


@cache
def adapter_parser() -> Lark:
    """The parser of adapter texts."""
    return make_parser(grammar_text("marine_gen.text", "adapter.lark"), [START], ["RESERVED", "ILLEGAL"])


@cache
def literal_texts() -> dict[str, str]:
    """The text of every terminal that stands for one word or sign, by terminal name."""
    return literals_of(adapter_parser())

"""Finds the grammar file and makes the Lark parser from it, once per process.

An installed package has the file beside this one; in a checkout it is `grammar/adapter.lark`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from lark import Lark, Token
from lark.lark import PostLex
from lark.lexer import PatternStr

START = "document"
NAME_TERMINALS = frozenset({"ID", "ID_COLON", "QUOTED_ID"})
STRING_TERMINALS = frozenset({"STRING", "QUOTED_ID"})
TYPE_TERMINALS = frozenset(
    {"ARRAY", "BOOL", "BOOLEAN", "BYTE_ARRAY", "F32", "F64", "I32", "I64", "RECORD", "S16", "S32", "S64", "S8"}
    | {"STRING_TYPE", "U16", "U32", "U64", "U8"}
)
_FILE = "adapter.lark"


class _KeepUnused(PostLex):
    """Keeps the terminals that no rule mentions, so that the lexer never stops: a bad character is a token too."""

    always_accept = ("RESERVED", "ILLEGAL")

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def grammar_text() -> str:
    """The grammar as written."""
    installed = files("marine_gen.text") / _FILE
    if installed.is_file():
        return installed.read_text("utf-8")
    return (Path(__file__).parents[2] / "grammar" / _FILE).read_text("utf-8")


@cache
def adapter_parser() -> Lark:
    """The parser. The basic lexer makes a token mean the same wherever it stands."""
    return Lark(
        grammar_text(),
        start=START,
        parser="lalr",
        lexer="basic",
        postlex=_KeepUnused(),
        propagate_positions=True,
        maybe_placeholders=False,
    )


@cache
def literal_texts() -> dict[str, str]:
    """The text of every terminal that stands for one word or sign, by terminal name."""
    terminals = adapter_parser().terminals
    return {item.name: item.pattern.value for item in terminals if isinstance(item.pattern, PatternStr)}

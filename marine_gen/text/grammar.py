"""Finds the grammar file and makes the Lark parser from it, once per process.

An installed package has the file beside this one; in a checkout it is `grammar/adapter.lark`. The interface description
language (`marine_gen.idl`) finds its grammar and makes its parser the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    def __init__(self, *terminals: str) -> None:
        self.always_accept = terminals

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def grammar_text(package: str = "marine_gen.text", name: str = _FILE) -> str:
    """A grammar as written: the file `name` of an installed `package`, or of the folder `grammar` of a checkout."""
    installed = files(package) / name
    if installed.is_file():
        return installed.read_text("utf-8")
    return (Path(__file__).parents[2] / "grammar" / name).read_text("utf-8")


def make_parser(grammar: str, start: Sequence[str], kept: Sequence[str]) -> Lark:
    """A parser whose basic lexer makes a token mean the same wherever it stands.

    Args:
        grammar: the text of the grammar.
        start: its start rules.
        kept: terminals that no rule mentions and that the lexer still has to make.
    """
    return Lark(
        grammar,
        start=list(start),
        parser="lalr",
        lexer="basic",
        postlex=_KeepUnused(*kept),
        propagate_positions=True,
        maybe_placeholders=False,
    )


@cache
def adapter_parser() -> Lark:
    """The parser of adapter texts."""
    return make_parser(grammar_text(), [START], ["RESERVED", "ILLEGAL"])


@cache
def literal_texts() -> dict[str, str]:
    """The text of every terminal that stands for one word or sign, by terminal name."""
    return literals_of(adapter_parser())


def literals_of(parser: Lark) -> dict[str, str]:
    """The same of any parser."""
    return {item.name: item.pattern.value for item in parser.terminals if isinstance(item.pattern, PatternStr)}

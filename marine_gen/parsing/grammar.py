"""Lark parsers from grammar files.

An installed package has its grammar beside its own files; a checkout has all of them in the folder `grammar`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from lark import Lark, Token
from lark.lark import PostLex
from lark.lexer import PatternStr


class _KeepUnused(PostLex):
    """Keeps the terminals that no rule mentions, so that the lexer never stops: a bad character is a token too."""

    def __init__(self, *terminals: str) -> None:
        self.always_accept = terminals

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def grammar_text(package: str, name: str) -> str:
    """A grammar as written: the file `name` of an installed `package`, or of the folder `grammar` of a checkout."""
    installed = files(package) / name
    if installed.is_file():
        return installed.read_text("utf-8")
    return (Path(__file__).parents[2] / "grammar" / name).read_text("utf-8")


def make_parser(grammar: str, start: Sequence[str], kept: Sequence[str]) -> Lark:
    """A parser whose basic lexer makes a token mean the same everywhere.

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


def literals_of(parser: Lark) -> dict[str, str]:
    """The text of every terminal of `parser` that is one word or sign, by terminal name."""
    return {item.name: item.pattern.value for item in parser.terminals if isinstance(item.pattern, PatternStr)}

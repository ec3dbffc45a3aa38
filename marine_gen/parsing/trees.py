"""The children of Lark trees, by kind."""

from __future__ import annotations

from lark import Token, Tree


def tokens_in(tree: Tree[Token]) -> list[Token]:
    """The tokens right below `tree`."""
    return [child for child in tree.children if isinstance(child, Token)]


def trees_in(tree: Tree[Token]) -> list[Tree[Token]]:
    """The trees right below `tree`."""
    return [child for child in tree.children if isinstance(child, Tree)]

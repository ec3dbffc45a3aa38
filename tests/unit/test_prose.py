"""The form of docstrings and messages, as far as it can be checked."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.sources import nodes

FOLDERS = ("marine_gen", "runtime", "tests", "docs", "examples")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if ROOT / "tests" / ".cache" not in path.parents
)
OPENING = re.compile(r"(What|Whether|How|Who|Which|Where|When|Why|Does|Is|Are|Can)\b")
PHRASES = ("there is: ", "anew", "goes before")
"""Phrases that were replaced everywhere."""


ASKING = re.compile(rf"[\"'](\\\\\n)?{OPENING.pattern}")
"""In the text of every file with such a docstring."""


@cache
def source(path: Path) -> str:
    """The text of a file."""
    return path.read_text("utf-8")


@cache
def strings(path: Path) -> tuple[tuple[int, str, bool], ...]:
    """The strings of a file: line, text, and True for those that are statements of their own, as docstrings are."""
    statements = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    return tuple(
        (node.lineno, node.value, id(node) in statements)
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_docstrings_open_with_what_they_describe() -> None:
    """With a noun phrase or an imperative, not with a question."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in SOURCES
        if ASKING.search(source(path))
        for line, text, docstring in strings(path)
        if docstring and OPENING.match(text)
    ]
    assert found == []


ENTRY = re.compile(r"^ +\w+: (what|who|whose|how|which|where|when|why) ", re.MULTILINE)


def test_entries_of_docstrings_open_with_what_they_describe() -> None:
    """Arguments and attributes too: "the name of the service", not "what the service is called"."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {entry[0].strip()}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "marine_gen") or path.is_relative_to(ROOT / "runtime")
        for line, text, docstring in strings(path)
        if docstring
        for entry in ENTRY.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_that_have_a_better_form(phrase: str) -> None:
    pattern = re.compile(rf"\b{re.escape(phrase)}")
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        if path != Path(__file__) and all(word in source(path) for word in phrase.split())
        for line, text, _ in strings(path)
        if pattern.search(text)
    ]
    assert found == []

"""Texts as literals and comments of the generated languages: whatever their characters, they stay inside."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_gen.codegen.literals import (
    c_comment,
    c_string,
    docstring,
    docstring_line,
    python_string,
    python_sum,
    python_tuple,
    wat_comment,
)
from marine_runtime.wasm import assemble
from tests.support.hostile_names import ENDLESS, NAMES

TEXTS = [*NAMES, *ENDLESS]


@given(st.text())
def test_python_strings_mean_the_text(text: str) -> None:
    assert ast.literal_eval(python_string(text)) == text


def test_python_strings_have_double_quotes_where_they_can() -> None:
    assert [python_string(text) for text in ("a", "it's", 'say "a"')] == ['"a"', '"it\'s"', "'say \"a\"'"]


@pytest.mark.parametrize("items", [[], ["a"], ["a", "b"]])
def test_python_tuples(items: list[str]) -> None:
    assert ast.literal_eval(python_tuple([python_string(item) for item in items])) == tuple(items)


@given(st.text() | st.sampled_from(TEXTS))
def test_docstrings_are_one_line_and_one_statement(text: str) -> None:
    written = docstring(text)
    assert "\n" not in written
    assert len(written) < 500
    (statement,) = ast.parse(written).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)
    assert written == f'"""{docstring_line(text)}"""'


@given(st.text() | st.sampled_from(TEXTS))
def test_comments_of_wasm_text_end_with_their_line(text: str) -> None:
    written = wat_comment(text)
    assert written.isascii()
    assert written.isprintable()
    assert assemble(f"(module {written}\n)") == assemble("(module)")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_strings_of_c_mean_the_text(text: str) -> None:
    written = c_string(text)
    assert "\n" not in written
    assert re.fullmatch(r'"([^"\\\n]|\\.)*"', written, re.DOTALL)
    assert "??" not in written  # trigraphs
    names = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
    assert re.sub(r"\\(.)", lambda found: names.get(found[1], found[1]), written[1:-1]) == text


@given(st.text() | st.sampled_from(TEXTS))
def test_comments_of_c_do_not_end_early(text: str) -> None:
    written = c_comment(text)
    assert written.isascii()
    assert "\n" not in written
    assert "*/" not in written
    assert "/*" not in written


@pytest.mark.parametrize("count", [1, 2, 64, 65, 4097, 20_000])
def test_a_sum_of_any_length_is_one_that_python_compiles(count: int) -> None:
    text = python_sum([str(number) for number in range(count)])
    parsed = ast.parse(text, mode="eval")
    assert eval(compile(parsed, "sum", "eval")) == sum(range(count))  # a tree nests less than text may

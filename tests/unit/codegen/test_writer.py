"""The indenting writer, in the style of each language."""

from __future__ import annotations

import pytest

from marine_gen.codegen.writer import PYTHON, WAT, C, Style, Writer

NESTED = {
    "python": (PYTHON, "def f():\n    if x:\n        y\n    z"),
    "c": (C, "def f(): {\n    if x: {\n        y\n    }\n    z\n}"),
    "wat": (WAT, "(def f():\n  (if x:\n    y\n  )\n  z\n)"),
}


@pytest.mark.parametrize(("style", "expected"), NESTED.values(), ids=NESTED)
def test_blocks_are_indented_and_closed(style: Style, expected: str) -> None:
    writer = Writer(style)
    with writer.block("def f():"):
        with writer.block("if x:"):
            writer.line("y")
        writer.line("z")
    assert writer.text() == expected


def test_heads_nest_and_each_is_closed() -> None:
    writer = Writer(WAT)
    with writer.block("if c", "then"):
        writer.line("(return)")
    assert writer.lines == ["(if c", "  (then", "    (return)", "  )", ")"]


def test_another_closing_line() -> None:
    writer = Writer(C)
    with writer.block("typedef struct", tail="} point;"):
        writer.line("int x;")
    assert writer.text() == "typedef struct {\n    int x;\n} point;"


def test_gaps_are_single_and_never_first() -> None:
    writer = Writer(PYTHON, 1)
    writer.gap()
    writer.line("a")
    writer.gap()
    writer.gap()
    writer.line("b")
    assert writer.lines == ["    a", "", "    b"]

"""Details of the printed form that the dumps do not show."""

from __future__ import annotations

import pytest

from marine_gen.interfaces import Export, Interfaces
from marine_gen.parsing.literals import write_name, write_string
from marine_gen.text import print_interfaces
from marine_runtime.types import Field, FunctionType, Prim, RecordType


def test_empty_parts_leave_their_separators() -> None:
    assert print_interfaces(Interfaces("0.28.0")) == '(@interface it_version "0.28.0")' + "\n\n" * 5


def test_parts_have_no_trailing_line_break() -> None:
    text = print_interfaces(Interfaces("0.28.0", exports=(Export("a", 1),)))
    assert text == '(@interface it_version "0.28.0")' + "\n\n" * 4 + ';; Exports\n(@interface export "a" (func 1))\n\n'


def test_function_types_keep_the_spaces_of_the_reference() -> None:
    types = (
        FunctionType(),
        FunctionType((Field("a", Prim.U8), Field("b", Prim.BOOLEAN))),
        FunctionType((), (Prim.STRING, Prim.BYTE_ARRAY)),
        RecordType("R", (Field("", Prim.F32),)),
    )
    assert print_interfaces(Interfaces("0.28.0", types)).split(";; Types\n")[1].rstrip("\n") == (
        "(@interface type (func  ))   ;; 0\n"
        "(@interface type (func \n  (param $a: u8 $b: bool) ))   ;; 1\n"
        "(@interface type (func  \n  (result string array (u8))))   ;; 2\n"
        "(@interface type (record $R (\n field $: f32\n)))   ;; 3"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain é", '"plain é"'),
        ("it's", '"it\'s"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("\t\n\r\0\x7f", r'"\t\n\r\u{0}\u{7f}"'),
    ],
)
def test_strings_are_escaped_only_where_they_must_be(value: str, text: str) -> None:
    assert write_string(value) == text


@pytest.mark.parametrize(
    ("name", "with_colon", "without"),
    [
        ("a", "$a:", "$a"),
        ("", "$:", '$""'),
        ("a:", '$"a:":', "$a:"),
        ("a:b", "$a:b:", "$a:b"),
        ("a b", '$"a b":', '$"a b"'),
        ("a\n", '$"a\\n":', '$"a\\n"'),
        ("é", '$"é":', '$"é"'),
        ("$", "$$:", "$$"),
    ],
)
def test_names_are_quoted_only_where_they_must_be(name: str, with_colon: str, without: str) -> None:
    assert write_name(name, colon=True) == with_colon
    assert write_name(name, colon=False) == without

"""Texts that must be read, and what they mean: the lexical and grammatical details of grammar/README.md."""

from __future__ import annotations

import pytest

from marine_gen.diagnostics import Code, DiagnosticError, SourceSpan
from marine_gen.interfaces import BY_MNEMONIC, Export, Implementation, Import, Instruction, Interfaces
from marine_gen.text import parse
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType

VERSION = '(@interface it_version "0.28.0")'


def read(text: str) -> Interfaces:
    return parse(VERSION + text)


def codes(text: str) -> list[Code]:
    with pytest.raises(DiagnosticError) as caught:
        parse(text)
    return [item.code for item in caught.value.diagnostics]


@pytest.mark.parametrize(
    "text",
    [
        VERSION,
        f" \t\r\n{VERSION}\r\n",
        f";; a comment\n{VERSION};; and one at the end of the file",
        f"(; one (; inside ;) another ;){VERSION}(;;)",
        '(;;; tricky ;)(@interface it_version(;"(;";);)"0.28.0")',
        f'{VERSION};; a quote " in a comment',
        '( ;; split\n @interface it_version"0.28.0" )',
        '(@interface it_version "\\30.\\u{32}8.\\u{0_030}")',
    ],
)
def test_white_space_comments_and_strings(text: str) -> None:
    assert parse(text) == Interfaces("0.28.0")


def test_a_block_comment_cannot_hide_in_a_string() -> None:
    assert read('(@interface export "(;" (func 0)) (@interface export ";;" (func 1))').exports == (
        Export("(;", 0),
        Export(";;", 1),
    )


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"\"\'\\\t\n\r"', "\"'\\\t\n\r"),
        (r'"\c3\A9"', "é"),
        (r'"\u{1F6_00}"', "😀"),
        (r'"\u{0000000000041}"', "A"),
        ('"é😀\u2028"', "é😀\u2028"),
        ('"it\'s"', "it's"),
        ('""', ""),
    ],
)
def test_string_values(literal: str, value: str) -> None:
    assert read(f"(@interface import {literal}{literal}(func(type 1)))").imports == (Import(value, value, 1),)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0", 0),
        ("+7", 7),
        ("0x1f", 31),
        ("0xFF_ff", 65535),
        ("1_000", 1000),
        ("4294967295", 2**32 - 1),
        ("0" * 5000 + "1", 1),
    ],
)
def test_index_values(literal: str, value: int) -> None:
    text = f'(@interface export "a" (func {literal}))(@interface implement (func {literal}) (func 0))'
    assert read(text).exports[0].type_index == value
    assert read(text).implementations == (Implementation(value, 0),)


@pytest.mark.parametrize(
    ("mnemonic", "literal", "value"),
    [
        ("i32.push", "-1", -1),
        ("i32.push", "-0", 0),
        ("i32.push", "4294967295", -1),
        ("i32.push", "0x8000_0000", -(2**31)),
        ("i32.push", "-0x80000000", -(2**31)),
        ("i64.push", "18446744073709551615", -1),
        ("i64.push", "-9223372036854775808", -(2**63)),
        ("i64.push", "9223372036854775807", 2**63 - 1),
    ],
)
def test_constants_are_signed_or_unsigned(mnemonic: str, literal: str, value: int) -> None:
    adapter = read(f"(@interface func (type 0) {mnemonic} {literal})").adapters[0]
    assert adapter.instructions == (Instruction(BY_MNEMONIC[mnemonic], value),)


@pytest.mark.parametrize(
    ("text", "ty"),
    [
        ("bool", Prim.BOOLEAN),
        ("boolean", Prim.BOOLEAN),
        ("byte_array", Prim.BYTE_ARRAY),
        ("array (u8)", Prim.BYTE_ARRAY),
        ("array(array(u8))", Array(Prim.BYTE_ARRAY)),
        ("array (byte_array)", Array(Prim.BYTE_ARRAY)),
        ("array (record 18446744073709551615)", Array(Record(2**64 - 1))),
        ("array (" * 128 + "bool" + ")" * 128, None),
    ],
)
def test_texts_of_types(text: str, ty: IType | None) -> None:
    (function,) = read(f"(@interface type (func (result {text})))").types
    assert isinstance(function, FunctionType)
    assert ty is None or function.results == (ty,)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("$a: i32", ["a"]),
        ("$a : i32", ["a"]),
        ("$a::: i32 $a: i32", ["a", "a"]),
        ("$: i32", [""]),
        ("$: : i32", None),
        ("$a:b: i32", ["a:b"]),
        ('$"a b:": i32 $"": i32', ["a b:", ""]),
        ('$"\\"\\n\\u{e9}" : i32', ['"\né']),
        ("$$!#%&'*+-./<=>?@\\^_`|~: i32", ["$!#%&'*+-./<=>?@\\^_`|~"]),
    ],
)
def test_parameter_names(text: str, params: list[str] | None) -> None:
    source = f"{VERSION}(@interface type (func (param {text})))"
    if params is None:
        assert codes(source) == [Code.TEXT_SYNTAX]
    else:
        assert parse(source).types == (FunctionType(tuple(Field(name, Prim.I32) for name in params)),)


@pytest.mark.parametrize(
    ("text", "name"), [("$R", "R"), ("$R:", "R:"), ("$:", ":"), ('$""', ""), ('$"a b"', "a b"), ("$$", "$")]
)
def test_record_names_keep_their_colons(text: str, name: str) -> None:
    assert read(f"(@interface type (record {text} (field $x: u8 field $y : bool)))").types == (
        RecordType(name, (Field("x", Prim.U8), Field("y", Prim.BOOLEAN))),
    )


def test_groups_accumulate_in_any_order() -> None:
    text = "(@interface type (func (result u8) (param $a: s8) (result) (param) (param $b: s16 $c: s32) (result bool)))"
    params = (Field("a", Prim.S8), Field("b", Prim.S16), Field("c", Prim.S32))
    assert read(text).types == (FunctionType(params, (Prim.U8, Prim.BOOLEAN)),)


def test_directives_of_different_kinds_may_be_mixed() -> None:
    mixed = '(@interface export "a" (func 0))(@interface type (func))(@interface export "b" (func 1))'
    assert parse(mixed + VERSION + "(@interface type (func (result u8)))") == Interfaces(
        "0.28.0",
        (FunctionType(), FunctionType((), (Prim.U8,))),
        exports=(Export("a", 0), Export("b", 1)),
    )


def test_spans_point_at_the_text() -> None:
    value = read("\n\n  (@interface func (type 0)\n    arg.get 0\n  dup)")
    assert value.adapters[0].span == SourceSpan(line=3, column=3)
    assert [item.span for item in value.adapters[0].instructions] == [
        SourceSpan(line=4, column=5, end_column=12),
        SourceSpan(line=5, column=3, end_column=6),
    ]


@pytest.mark.parametrize("control", ["\0", "\x0b", "\x1f", "\x7f", "\u00a0", "\ufeff", "\ud800"])
def test_odd_characters_outside_strings_are_illegal(control: str) -> None:
    assert codes(f"{control}{VERSION}") == [Code.TEXT_LEXICAL]


@pytest.mark.parametrize("control", ["\0", "\t", "\x1f", "\x7f"])
def test_control_characters_in_strings_must_be_escaped(control: str) -> None:
    assert codes(f'{VERSION}(@interface export "a{control}" (func 0))') == [Code.TEXT_LEXICAL]


def test_a_lone_surrogate_is_not_a_name() -> None:
    assert codes(f'{VERSION}(@interface export "\ud800" (func 0))') == [Code.TEXT_VALUE]


@pytest.mark.parametrize("bracket", ["(", "(@interface ", "(;", "(@interface type (func (result array ("])
def test_deep_nesting_is_an_error_not_a_crash(bracket: str) -> None:
    assert codes(VERSION + bracket * 10_000)


def test_deep_array_types_are_refused() -> None:
    depth = 15_000
    text = f"{VERSION}(@interface type (func (result {'array (' * depth}u8{')' * depth})))"
    assert codes(text) == [Code.TEXT_VALUE]


def test_a_huge_number_is_out_of_range() -> None:
    assert codes(f'{VERSION}(@interface export "a" (func {"9" * 10_000}))') == [Code.TEXT_VALUE]


def test_the_number_of_findings_is_bounded() -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse(VERSION + "(@interface nonsense)" * 5000)
    assert len(caught.value.diagnostics) == 100
    assert caught.value.diagnostics[-1].notes == ("no more than 100 findings are shown",)

"""The C glue of a description: golden files, names that C can't have, and descriptions that have no glue."""

from __future__ import annotations

import re

import pytest

from marine_gen.codegen.literals import c_comment, c_string
from marine_gen.diagnostics import DiagnosticError
from marine_gen.generate import Description, ExternModule, ImportedFunction, Member, Named, Signature, Vector
from marine_gen.guest import CompilerError, build_guest, glue_files, new_guest, write_glue
from marine_gen.guest.names import RESERVED, c_names
from marine_gen.idl import parse_description
from marine_runtime.errors import ArgumentError
from tests.support.golden import GOLDEN, check_file
from tests.support.hostile_names import NAMES as HOSTILE_NAMES
from tests.support.kit import hostile_description

TEXT = """
data Point:
    x: f64
    y: f64
    label: string

data Shape:
    points: [Point]
    centre: Point
    holes: [Shape]
    flags: [[bool]]
    filled: bool

import geo:
    fn area(shape: Shape, name: string, exact: bool) -> f64
    fn make_label as label(point: Point, number: u8) -> string
    fn flag() -> bool
    fn split(shape: Shape) -> [Shape]

import __marine_host_api_v3:
    fn seed(size: u32) -> [u8]

export:
    fn all(a: bool, b: s8, c: u16, d: s32, e: u64, f: f32, g: f64, s: string, v: [u8], p: Point, ps: [Point]) -> [Point]
    fn shape(shape: Shape) -> Shape
    fn tiny() -> s8
    fn int(double: u32, result: string) -> string
    fn nothing()
    fn result(raw: [Point]) -> [Point]
    fn count() -> u8
"""


def test_glue_is_what_the_golden_files_show() -> None:
    glue = write_glue(parse_description(TEXT, "shapes.idl"), "shapes", generator="marine-gen")
    check_file(GOLDEN / "guest" / "shapes_glue.h", glue.header)
    check_file(GOLDEN / "guest" / "shapes_glue.c", glue.source)
    assert write_glue(parse_description(TEXT, "shapes.idl"), "shapes", generator="marine-gen") == glue
    assert set(glue_files(glue)) == {"marine.h", "marine_implementation.h", "shapes_glue.h", "shapes_glue.c"}


def test_names_in_c() -> None:
    assert c_names(["a", "int", "int_", "a", "class", "marine_string", "MARINE_H", "stdout", "write", "count"]) == [
        *("a", "int_", "int_2", "a_2", "class_", "marine_string_", "MARINE_H_", "stdout_", "write_", "count"),
    ]
    assert c_names(["Point"], {"Point"}) == ["Point_2"]
    names = c_names([*HOSTILE_NAMES, *sorted(RESERVED)])
    assert len(set(names)) == len(names)
    assert not set(names) & RESERVED
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in names)


def test_literals_and_comments_are_closed() -> None:
    for name in HOSTILE_NAMES:
        assert re.fullmatch(r'"([^"\\\n\r?]|\\["\\?nrtfv])*"', c_string(name))
        assert not re.search(r"\*/|/\*|[^ -~]", c_comment(name))
    assert c_string('a"\\é?1\n') == '"a\\"\\\\é\\?1\\n"'


def test_names_of_an_interface_are_never_syntax() -> None:
    glue = write_glue(hostile_description(), "../\n*/ evil", generator="marine-gen")
    assert re.fullmatch("[A-Za-z_0-9]+", glue.name)
    plain = [line for line in glue.source.split("\n") if not line.startswith(("MARINE_EXPORT(", "MARINE_IMPORT("))]
    assert not re.search(r"[^ -~]", "".join(plain))
    assert not re.search(r"[^\n -~]", glue.header)


def test_derived_names_step_aside_for_records() -> None:
    """A record that is called like the array of another one, or like one of its functions."""
    text = """
data A:
  x: u8
data A_array:
  x: u8
data A_array_2_push:
  x: u8
export:
  fn f(a: [A], b: [A_array]) -> [A_array_2_push]
  fn A_array_new()
"""
    header = write_glue(parse_description(text, ""), "m", generator="").header
    defined = re.findall(r"^typedef struct \w+ (\w+);|^MARINE_ARRAY_TYPE\((\w+),", header, re.MULTILINE)
    names = [record or array for record, array in defined]
    assert len(names) == 6
    assert len(set(names)) == 6
    assert {"A", "A_array", "A_array_2_push"} <= set(names)


@pytest.mark.parametrize("name", ["memory", "_initialize", "_start"])
def test_what_the_linker_exports_can_not_be_written(name: str) -> None:
    with pytest.raises(DiagnosticError, match=f"`{name}` is what the linker itself exports"):
        write_glue(Description(functions=(Signature(name),)), "m", generator="")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_c_can_not_have(name: str) -> None:
    exported = Description(functions=(Signature(name),))
    imported = Description(imports=(ExternModule("m", (ImportedFunction(Signature("f"), name),)),))
    for description in (exported, imported):
        with pytest.raises(DiagnosticError, match="C can't have a NUL or a lone surrogate in a name"):
            write_glue(description, "m", generator="")


def test_unknown_records_of_host_imports_are_found() -> None:
    imported = ImportedFunction(Signature("f", (Member("x", Vector(Named("None"))),)))
    with pytest.raises(DiagnosticError, match=r"record `None` is not declared\n   in import `host\.f`"):
        write_glue(Description(imports=(ExternModule("host", (imported,)),)), "m", generator="")


def test_new_modules_have_names_of_files() -> None:
    assert set(new_guest("my-module")) == {"my-module.idl", "my-module.c"}
    assert '"my_module_glue.h"' in new_guest("my-module")["my-module.c"]
    for name in ("", "1", "a/b", "..", "a b", "ä", "a\n", "x" * 65):
        with pytest.raises(ArgumentError, match="can't name a module"):
            new_guest(name)


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("'", "can't be read"),
        (" ", "is empty"),
        ("/nowhere/cc", "can't be run: No such file or directory"),
        ("a\0b", "can't be run"),
    ],
)
def test_compilers_that_are_none(compiler: str, message: str) -> None:
    with pytest.raises(CompilerError, match=message):
        build_guest([], Description(), "m", generator="", compiler=compiler)

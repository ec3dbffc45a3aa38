"""The layout of types and the helpers of the ABI, and what repeats them in other languages."""

from __future__ import annotations

import re
import struct

import pytest

from marine_gen.codegen.type_names import type_key
from marine_gen.generate.model import DESCRIBED_PRIMS
from marine_gen.guest.glue import INCLUDE
from marine_gen.guest.spelling import c_type
from marine_gen.interfaces import INSTRUCTIONS, InstructionKind
from marine_gen.interfaces.conversions import Conversion, conversion
from marine_runtime.abi.helpers import BY_EXPORT, BYTES_TAG, AbiHelper
from marine_runtime.abi.layout import (
    INTEGER_RANGES,
    PRIMITIVES,
    Bytes,
    Flat,
    Form,
    Kind,
    List,
    Struct,
    Text,
    cost,
    element_of,
    has_parts,
    is_flat,
    raw_codes,
    record_body,
    shape,
)
from marine_runtime.abi.measures import CORE_CODES, CORE_TYPES, PART
from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType
from marine_runtime.wasm.api import CODE_TYPES

POINT = RecordType("Point", (Field("x", Prim.S8), Field("name", Prim.STRING), Field("next", Array(Record(0)))))
RECORDS = {0: POINT, 1: RecordType("Flat", (Field("a", Prim.U8), Field("b", Prim.F64)))}
TYPES: list[IType] = [
    *Prim,
    Record(0),
    *(Array(ty) for ty in (*Prim, Record(0))),
    Array(Array(Prim.U8)),
    Array(Array(Record(1))),
]


@pytest.mark.parametrize("ty", TYPES, ids=str)
def test_layouts_are_consistent(ty: IType) -> None:
    """The size is that of the `struct` codes, and the form says how many core values there are."""
    slot = shape(ty).layout
    assert struct.calcsize(f"<{slot.format}") == slot.size
    assert len(slot.format) == len(slot.carrier) == len(raw_codes(ty)) == (2 if slot.form is Form.PAIR else 1)
    assert is_flat(ty) == isinstance(shape(ty), Flat)
    assert slot.alignment == max(struct.calcsize(code) for code in slot.format)
    assert all(CODE_TYPES[code] == str(core) for code, core in zip(raw_codes(ty), slot.carrier, strict=True))


def test_every_primitive_has_a_row() -> None:
    assert set(PRIMITIVES) == set(Prim)
    assert set(INTEGER_RANGES) == set(Prim) - {Prim.BOOLEAN, Prim.F32, Prim.F64, Prim.STRING, Prim.BYTE_ARRAY}
    assert {Prim.I32, Prim.I64, Prim.F32, Prim.F64} == CORE_TYPES == set(CORE_CODES)


def test_kinds_say_what_codes_say() -> None:
    flats = [part for part in PRIMITIVES.values() if isinstance(part, Flat)]
    kinds = {"?": Kind.BOOLEAN, "f": Kind.FLOAT, "d": Kind.FLOAT}
    for flat in flats:
        code = flat.layout.format
        assert flat.kind is kinds.get(code, Kind.UNSIGNED if code.isupper() else Kind.SIGNED)


@pytest.mark.parametrize("ty", TYPES, ids=str)
def test_shapes_stand_for_types(ty: IType) -> None:
    """A shape has one type, and both spellings of a byte array have one shape."""
    assert shape(shape(ty).type) == shape(ty)
    assert type_key(shape(ty).type) == type_key(ty)
    assert shape(Array(Prim.U8)) == shape(Prim.BYTE_ARRAY) == Bytes()
    assert type_key(ty).isidentifier()


def test_shapes() -> None:
    assert shape(Array(Array(Prim.U8))) == List(Bytes())
    assert shape(Array(Record(7))) == List(Struct(7))
    assert shape(Prim.STRING) == Text()
    assert element_of(Prim.BYTE_ARRAY) is element_of(Array(Prim.U8)) is Prim.U8


def test_bodies_are_packed() -> None:
    body = record_body(POINT)
    assert [(cell.name, cell.offset) for cell in body.cells] == [("x", 0), ("name", 1), ("next", 9)]
    assert (body.size, body.format) == (17, "bIIII")


def test_cost() -> None:
    parts = (shape(Prim.STRING), shape(Array(Prim.U8)), shape(Array(Prim.U64)), shape(Array(Prim.STRING)))
    assert [cost(part, RECORDS) for part in parts] == [(PART, 1), (PART, 1), (PART, 8), (PART, 8)]
    assert cost(Struct(0), RECORDS) == (PART + 17, 0)
    assert [has_parts(shape(ty), RECORDS) for ty in (Prim.STRING, Array(Prim.U16), Record(1))] == [False] * 3
    assert [has_parts(shape(ty), RECORDS) for ty in (Array(Prim.STRING), Array(Record(1)), Record(0))] == [True] * 3


def test_every_conversion_of_the_table_has_a_way() -> None:
    rows = [item for item in INSTRUCTIONS if item.kind is InstructionKind.CONVERT]
    ways = {item.mnemonic: conversion(item.pops[0], item.pushes[0]) for item in rows}  # type: ignore[arg-type]
    same_bits = {"u32.from_i32", "i32.from_u32", "u64.from_i64", "i64.from_u64"}
    assert {name for name, way in ways.items() if way is Conversion.REINTERPRET} == same_bits
    assert ways["bool.from_i32"] is Conversion.TO_BOOLEAN
    assert ways["i32.from_bool"] is Conversion.FROM_BOOLEAN
    assert ways["s32.from_i32"] is ways["i64.from_u32"] is Conversion.WIDEN
    assert ways["i32.from_s64"] is ways["s8.from_i32"] is Conversion.NARROW
    with pytest.raises(ValueError, match="no conversion from string to i32"):
        conversion(Prim.STRING, Prim.I32)


def test_helpers() -> None:
    assert list(BY_EXPORT) == [
        *("allocate", "release_objects", "get_result_size"),
        *("get_result_ptr", "set_result_size", "set_result_ptr"),
    ]
    assert [helper.value for helper in AbiHelper] == list(range(6))
    assert AbiHelper.ALLOCATE.codes == ("II", "I")
    assert str(AbiHelper.ALLOCATE.core) == "(size: i32, tag: i32) -> i32"
    assert str(AbiHelper.ALLOCATE.declared) == "(size: i32) -> i32"
    assert BYTES_TAG == shape(Prim.U8).layout.tag == 1


def test_the_header_of_the_guest_kit_defines_the_helpers() -> None:
    """Names and signatures of `marine_implementation.h` are those of the table."""
    source = (INCLUDE / "marine_implementation.h").read_text("utf-8")
    found = re.findall(r'^MARINE_EXPORT\("(\w+)"\) (\w+ \*?)\w+\(([^)]*)\)', source, re.MULTILINE)
    core = {
        name: ("I" * (params != "void") * (params.count(",") + 1), "" if result == "void " else "I")
        for name, result, params in found
    }
    assert core == {helper.export: helper.codes for helper in AbiHelper}


def test_the_header_of_the_guest_kit_knows_the_sizes_of_tags() -> None:
    source = (INCLUDE / "marine_implementation.h").read_text("utf-8")
    listed = re.search(r"sizes\[\] = \{([\d, ]+)\}", source)
    assert listed
    sizes = dict(enumerate(map(int, listed[1].split(","))))
    assert sizes == {part.layout.tag: part.layout.size for part in PRIMITIVES.values() if isinstance(part, Flat)}


def test_the_header_of_the_guest_kit_declares_the_arrays_of_scalars() -> None:
    source = (INCLUDE / "marine.h").read_text("utf-8")
    declared = dict(re.findall(r"^MARINE_ARRAY\(marine_(\w+)_array, (\w+)\)", source, re.MULTILINE))
    flats = [part for ty, part in PRIMITIVES.items() if isinstance(part, Flat) and ty in DESCRIBED_PRIMS]
    assert declared == {str(flat.prim): c_type(flat) for flat in flats if flat.prim is not Prim.U8}

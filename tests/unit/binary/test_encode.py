"""The binary writer: order, shortest numbers, and everything the format cannot carry."""

from __future__ import annotations

import pytest

from marine_gen.binary import decode, encode
from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.interfaces import (
    BY_MNEMONIC,
    Adapter,
    Export,
    Implementation,
    Import,
    Instruction,
    Interfaces,
)
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from tests.support.notation import name, read_bytes

VERSION = b"\x05" + name("0.28.0")


def adapter(mnemonic: str, immediate: int | IType | None = None) -> Interfaces:
    return Interfaces("0.28.0", adapters=(Adapter(0, (Instruction(BY_MNEMONIC[mnemonic], immediate),)),))


def findings(interfaces: Interfaces) -> list[tuple[Code, str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        encode(interfaces)
    return [(item.code, item.within, item.message) for item in caught.value.diagnostics]


def test_empty_sections_are_left_out() -> None:
    assert encode(Interfaces("0.28.0")) == VERSION


def test_sections_have_the_order_of_the_reference() -> None:
    value = Interfaces(
        "0.28.0",
        (FunctionType((Field("a", Prim.U8),), (Array(Prim.BYTE_ARRAY),)), RecordType("R", (Field("x", Record(1)),))),
        (Import("ns", "f", 300),),
        (Adapter(0, (Instruction(BY_MNEMONIC["array.lift_memory"], Prim.U8), Instruction(BY_MNEMONIC["dup"]))),),
        (Export("e", 0),),
        (Implementation(1, 2),),
    )
    assert encode(value) == VERSION + read_bytes("""
        00 02
          00 01 01 "a" 04 01 36 3c
          01 01 "R" 01 01 "x" 0e 01
        01 01 02 "ns" 01 "f" ac 02
        02 01 00 02 37 04 34
        03 01 01 "e" 00
        04 01 01 02
    """)


@pytest.mark.parametrize(
    ("mnemonic", "value", "data"),
    [
        ("i32.push", 1, "01"),
        ("i32.push", 2**31 - 1, "ff ff ff ff 07"),
        ("i32.push", -1, "ff ff ff ff 0f"),
        ("i32.push", -(2**31), "80 80 80 80 08"),
        ("i64.push", -1, "ff ff ff ff ff ff ff ff ff 01"),
        ("i64.push", 2**63 - 1, "ff ff ff ff ff ff ff ff 7f"),
    ],
)
def test_constants_are_written_as_bit_patterns(mnemonic: str, value: int, data: str) -> None:
    encoded = encode(adapter(mnemonic, value))
    assert encoded.endswith(bytes([BY_MNEMONIC[mnemonic].opcode]) + read_bytes(data))
    assert decode(encoded) == adapter(mnemonic, value)


def test_names_have_at_most_255_bytes() -> None:
    longest = Interfaces("0.28.0", exports=(Export("é" * 127 + "x", 0),))
    assert decode(encode(longest)) == longest
    assert findings(Interfaces("0.28.0", exports=(Export("ok", 0), Export("é" * 128, 0)))) == [
        (Code.IT_LIMIT, "export #1", "the name of an export has 256 bytes, but the format allows 255")
    ]


def test_all_findings_are_reported_together() -> None:
    value = Interfaces(
        "one",
        (RecordType("R", ()), FunctionType((Field("\ud800", Prim.U8),), (Record(2**63),))),
        (Import("ns", "f", 2**32),),
        (Adapter(0, (Instruction(BY_MNEMONIC["dup"]), Instruction(BY_MNEMONIC["arg.get"], -1))),),
        (),
        (Implementation(0, 2**32),),
    )
    assert findings(value) == [
        (Code.IT_VERSION, "", "`one` is not a semantic version (MAJOR.MINOR.PATCH)"),
        (Code.IT_LIMIT, "type #0", "record `R` has no fields"),
        (
            Code.IT_LIMIT,
            "type #1",
            "the name of a field or parameter contains a lone surrogate, which UTF-8 has no form for",
        ),
        (Code.IT_LIMIT, "type #1", "index 9223372036854775808 is not between 0 and 9223372036854775807"),
        (Code.IT_LIMIT, "import #0", "index 4294967296 is not between 0 and 4294967295"),
        (Code.IT_LIMIT, "adapter #0, instruction #1", "index -1 is not between 0 and 4294967295"),
        (Code.IT_LIMIT, "implementation #0", "index 4294967296 is not between 0 and 4294967295"),
    ]


@pytest.mark.parametrize(("mnemonic", "bits"), [("i32.push", 32), ("i64.push", 64)])
def test_constants_out_of_range(mnemonic: str, bits: int) -> None:
    for value in (1 << (bits - 1), -(1 << (bits - 1)) - 1):
        message = f"constant {value} does not fit a signed number of {bits} bits"
        assert findings(adapter(mnemonic, value)) == [(Code.IT_LIMIT, "adapter #0, instruction #0", message)]


def test_types_nest_up_to_the_limit() -> None:
    ty: IType = Prim.STRING
    for _ in range(128):
        ty = Array(ty)
    assert decode(encode(adapter("array.lift_memory", ty))) == adapter("array.lift_memory", ty)
    message = "a type nests more than 128 arrays"
    assert findings(adapter("array.lift_memory", Array(ty))) == [(Code.IT_LIMIT, "adapter #0, instruction #0", message)]

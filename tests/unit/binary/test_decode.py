"""The binary reader: primitive encodings, spans, and every malformed section as a diagnostic."""

from __future__ import annotations

import pytest

from marine_gen.binary import decode
from marine_gen.binary.leb import read_uleb, write_uleb
from marine_gen.diagnostics import Code, DiagnosticError, SourceSpan
from marine_gen.interfaces import INSTRUCTIONS, Export, Immediate, Instruction, Interfaces
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.notation import name, read_bytes

VERSION = b"\x05" + name("0.28.0")
TAGS = {
    "00": Prim.S8,
    "01": Prim.S16,
    "02": Prim.S32,
    "03": Prim.S64,
    "04": Prim.U8,
    "05": Prim.U16,
    "06": Prim.U32,
    "07": Prim.U64,
    "08": Prim.F32,
    "09": Prim.F64,
    "0a": Prim.STRING,
    "0b": Prim.BOOLEAN,
    "0c": Prim.I32,
    "0d": Prim.I64,
    "0e 07": Record(7),
    "36 04": Array(Prim.U8),
    "36 36 0e 01": Array(Array(Record(1))),
    "3c": Prim.BYTE_ARRAY,
}


def instruction(data: str) -> Instruction:
    payload = VERSION + read_bytes(f"02 01 00 01 {data}")
    return decode(payload).adapters[0].instructions[0]


def test_version_alone() -> None:
    assert decode(VERSION) == Interfaces("0.28.0")


@pytest.mark.parametrize(("data", "ty"), TAGS.items())
def test_type_tags(data: str, ty: IType) -> None:
    assert decode(read_bytes(f"00 01 00 00 01 {data}") + VERSION).types == (FunctionType((), (ty,)),)


def test_sections_accumulate_in_any_order() -> None:
    payload = read_bytes('00 01 00 00 00  03 01 01 "a" 00  00 01 01 01 "R" 01 01 "x" 04  03 01 01 "b" 01')
    assert decode(payload + VERSION) == Interfaces(
        "0.28.0",
        (FunctionType(), RecordType("R", (Field("x", Prim.U8),))),
        exports=(Export("a", 0), Export("b", 1)),
    )


def test_opcodes_are_those_of_the_table() -> None:
    immediates = {Immediate.NONE: "", Immediate.TYPE: "0a"}
    for operator in INSTRUCTIONS:
        data = f"{operator.opcode:02x} {immediates.get(operator.immediate, '05')}"
        assert instruction(data).operator is operator


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("40 01", 1),
        ("40 ff ff ff ff 0f", -1),
        ("40 80 80 80 80 08", -(2**31)),
        ("40 81 80 80 80 80 80 80 80 00", 1),
        ("41 ff ff ff ff ff ff ff ff 7f", 2**63 - 1),
        ("41 ff ff ff ff ff ff ff ff ff 01", -1),
        ("41 80 80 80 80 80 80 80 80 80 01", -(2**63)),
    ],
)
def test_constants(data: str, value: int) -> None:
    assert instruction(data).immediate == value


def test_long_lists_have_leb_counts() -> None:
    count = 300
    params = b"".join(name(f"p{index}") + b"\x0c" for index in range(count))
    ty = decode(VERSION + b"\x00\x01\x00" + write_uleb(count) + params + b"\x00").types[0]
    assert ty == FunctionType(tuple(Field(f"p{index}", Prim.I32) for index in range(count)))


def test_spans_are_offsets_in_the_section() -> None:
    payload = VERSION + read_bytes('01 01 01 "a" 01 "b" 02  02 01 0b 02 00 00 34  03 01 01 "c" 00  04 01 01 02')
    value = decode(payload, "custom-name")
    (adapter,) = value.adapters
    spans = [value.imports[0].span, adapter.span, adapter.instructions[0].span, adapter.instructions[1].span]
    spans += [value.exports[0].span, value.implementations[0].span]
    assert spans == [SourceSpan(offset=at, section="custom-name") for at in (10, 17, 19, 21, 24, 29)]


def test_deep_types_are_refused() -> None:
    assert decode(VERSION + b"\x00\x01\x00\x00\x01" + b"\x36" * 128 + b"\x0a").types
    with pytest.raises(DiagnosticError, match="nests more than 128 arrays") as caught:
        decode(VERSION + b"\x00\x01\x00\x00\x01" + b"\x36" * 100_000)
    assert caught.value.diagnostics[0].code is Code.IT_BAD_VALUE


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32 - 1, 2**63 - 1, 2**64 - 1])
def test_uleb_round_trip(value: int) -> None:
    encoded = write_uleb(value)
    assert read_uleb(b"x" + encoded + b"y", 1, 10) == (value, 1 + len(encoded))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_uleb_has_64_bits(value: int) -> None:
    with pytest.raises(ValueError, match="unsigned number of 64 bits"):
        write_uleb(value)


@pytest.mark.parametrize("case", load_cases(GOLDEN / "binary" / "errors.golden"), ids=str)
def test_binary_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        decode(read_bytes(case.input))
    case.check(str(caught.value.with_source("module.wasm")))

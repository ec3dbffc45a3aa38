"""Estimates of generated code of the size of a value."""

from __future__ import annotations

import pytest

from marine_gen.python_backend.size_estimate import SizeEstimate
from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType

TEXTS = Array(Prim.STRING)
NUMBERS = Array(Prim.U64)
RECORDS = {
    0: RecordType("Flat", (Field("a", Prim.U8), Field("b", Prim.F64))),
    1: RecordType("Mixed", (Field("a", Prim.U8), Field("b", Prim.STRING), Field("c", NUMBERS), Field("d", Record(0)))),
    2: RecordType("Deep", (Field("a", Record(1)), Field("b", TEXTS), Field("c", Prim.BYTE_ARRAY))),
    # As many parts as are looked at, with the record itself, and one more.
    3: RecordType("Full", tuple(Field(f"f{index}", Prim.STRING) for index in range(15))),
    4: RecordType("More", tuple(Field(f"f{index}", Prim.STRING) for index in range(16))),
    # Each has the one before it twice; the last one is in itself.
    **{
        number: RecordType("Two", (Field("a", Record(number - 1)), Field("b", Record(number - 1))))
        for number in range(5, 99)
    },
    99: RecordType("Self", (Field("text", Prim.STRING), Field("self", Record(99)))),
}


@pytest.mark.parametrize(
    ("ty", "text", "whole"),
    [
        (Prim.U32, "", True),
        (Prim.STRING, "len(x)", True),
        (Prim.BYTE_ARRAY, "len(x)", True),
        (Array(Prim.U8), "len(x)", True),
        (Array(Prim.BOOLEAN), "len(x)", True),
        (Array(Prim.S16), "2 * len(x)", True),
        (NUMBERS, "8 * len(x)", True),
        (TEXTS, "", False),
        (Array(NUMBERS), "", False),
        (Array(Record(0)), "", False),
        (Record(0), "", True),
        (Record(1), "len(x[1]) + 8 * len(x[2])", True),
        (Record(2), "len(x[0][1]) + 8 * len(x[0][2]) + len(x[2])", False),
        (Record(3), " + ".join(f"len(x[{index}])" for index in range(15)), True),
        (Record(4), " + ".join(f"len(x[{index}])" for index in range(15)), False),
    ],
    ids=str,
)
def test_size_estimates_of_types(ty: IType, text: str, whole: bool) -> None:
    assert SizeEstimate.of("x", ty, RECORDS) == SizeEstimate(text, whole)


@pytest.mark.parametrize("number", [98, 99])
def test_records_without_end(number: int) -> None:
    found = SizeEstimate.of("x", Record(number), RECORDS)
    assert not found.whole
    assert found.text.count("len") < 16

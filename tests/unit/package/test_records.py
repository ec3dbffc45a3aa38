"""Records that are one class in a generated package."""

from __future__ import annotations

import pytest

from marine_gen.package.records import shared_records
from marine_runtime.abi.plan import ModulePlan
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, Records, RecordType


def plan(name: str, records: Records, *mentioned: IType) -> ModulePlan:
    exports = {"f": FunctionType(tuple(Field(f"p{number}", ty) for number, ty in enumerate(mentioned)))}
    return ModulePlan(name, (), (), (), exports, records, "0.14.0", "0.28.0")


def record(name: str, **fields: IType) -> RecordType:
    return RecordType(name, tuple(Field(field, ty) for field, ty in fields.items()))


POINT = record("Point", x=Prim.F64, y=Prim.F64)


def places(*plans: ModulePlan) -> list[list[tuple[str, int]]]:
    return [item.places for item in shared_records(plans)]


def test_equal_records_are_one_whatever_their_indices() -> None:
    first = plan("a", {0: POINT, 1: record("Line", points=Array(Record(0)))}, Record(1))
    second = plan("b", {7: record("Line", points=Array(Record(9))), 9: POINT}, Record(7))
    assert places(first, second) == [[("a", 0), ("b", 9)], [("a", 1), ("b", 7)]]


def test_records_that_nothing_exported_mentions_do_not_count() -> None:
    assert places(plan("a", {0: POINT, 1: record("Line", points=Array(Record(0)))}, Record(0))) == [[("a", 0)]]


@pytest.mark.parametrize(
    "other",
    [
        record("Dot", x=Prim.F64, y=Prim.F64),
        record("Point", x=Prim.F64, z=Prim.F64),
        record("Point", y=Prim.F64, x=Prim.F64),
        record("Point", x=Prim.F64, y=Prim.F32),
        record("Point", x=Prim.F64, y=Array(Prim.F64)),
        record("Point", x=Prim.F64),
        record("Point", x=Prim.F64, y=Record(0)),
    ],
)
def test_any_difference_makes_two(other: RecordType) -> None:
    assert places(plan("a", {0: POINT}, Record(0)), plan("b", {0: other}, Record(0))) == [[("a", 0)], [("b", 0)]]


def test_a_difference_deep_inside_makes_two() -> None:
    def line(inner: RecordType) -> Records:
        return {0: inner, 1: record("Line", points=Array(Array(Record(0))))}

    other = record("Point", x=Prim.F64, y=Prim.U8)
    assert places(plan("a", line(POINT), Record(1)), plan("b", line(other), Record(1))) == [
        *([[("a", 0)], [("a", 1)]]),
        *([[("b", 0)], [("b", 1)]]),
    ]


def test_both_spellings_of_bytes_are_equal() -> None:
    one, other = record("Blob", data=Prim.BYTE_ARRAY), record("Blob", data=Array(Prim.U8))
    assert places(plan("a", {0: one}, Record(0)), plan("b", {0: other}, Record(0))) == [[("a", 0), ("b", 0)]]


def test_records_that_contain_themselves_are_compared() -> None:
    tree = record("Tree", label=Prim.STRING, leaves=Array(Record(0)))
    other = record("Tree", label=Prim.S8, leaves=Array(Record(0)))
    unrolled = {
        0: record("Tree", label=Prim.STRING, leaves=Array(Record(1))),
        1: record("Tree", label=Prim.STRING, leaves=Array(Record(0))),
    }
    first = plan("a", {0: tree}, Record(0))
    assert places(first, plan("b", unrolled, Record(0))) == [[("a", 0), ("b", 0), ("b", 1)]]
    assert places(first, plan("b", {0: other}, Record(0))) == [[("a", 0)], [("b", 0)]]


@pytest.mark.parametrize(("end", "classes"), [(Prim.U16, 3001), (Array(Record(0)), 1)])
def test_endless_chains_take_bounded_time(end: IType, classes: int) -> None:
    """Comparing each with each, as deep as they go, would take hours."""
    chain = {index: record("Link", next=Array(Record(index + 1))) for index in range(3000)}
    chain[3000] = record("Link", next=end)
    assert len(shared_records([plan("a", chain, Record(0))])) == classes

"""The listing of a service, without a service."""

from __future__ import annotations

from marine_runtime.service.interface import Interface, ModuleInterface
from marine_runtime.types import Field, FunctionType, Prim, Record, RecordType


def module(*records: RecordType) -> ModuleInterface:
    params = tuple(Field(f"p{index}", Record(index)) for index in range(len(records)))
    return ModuleInterface({"f": FunctionType(params)}, dict(enumerate(records)))


def test_equal_records_are_listed_once() -> None:
    """Marine lists records by number; two modules that share a record make it appear twice there."""
    point = RecordType("Point", (Field("x", Prim.F64),))
    other = RecordType("Point", (Field("x", Prim.F32),))
    lines = Interface({"a": module(point, point), "b": module(other, point)}).lines()
    assert lines[:5] == [
        "exported data types (combined from all modules):",
        *("data Point:", "  x: f64", "data Point:", "  x: f32"),
    ]
    assert sum(line.startswith("data ") for line in lines) == 2


def test_modules_are_sorted_by_name() -> None:
    """Functions and fields keep the order of their declaration."""
    fields = (Field("z", Prim.U8), Field("a", Prim.U8))
    first = ModuleInterface(
        {"z": FunctionType((Field("p", Record(0)),)), "a": FunctionType()}, {0: RecordType("R", fields)}
    )
    lines = Interface({"b": first, "a": ModuleInterface({"f": FunctionType()}, {})}).lines()
    assert lines == [
        "exported data types (combined from all modules):",
        *("data R:", "  z: u8", "  a: u8", ""),
        "exported functions:",
        *("a:", "  func f()", "b:", "  func z(p: R)", "  func a()"),
    ]

"""Accepted arguments: the table of docs/values.md, with a value for each cell."""

from __future__ import annotations

import ctypes
import decimal
import enum
from array import array
from collections import OrderedDict, UserList, deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType

RECORDS = {0: RecordType("Person", (Field("name", Prim.STRING), Field("age", Prim.U32)))}

COLUMNS: Mapping[str, IType] = {
    "`bool`": Prim.BOOLEAN,
    "`u8`": Prim.U8,
    "`s64`": Prim.S64,
    "`f64`": Prim.F64,
    "`string`": Prim.STRING,
    "`[]u8`": Array(Prim.U8),
    "`[]u32`": Array(Prim.U32),
    "`[]f32`": Array(Prim.F32),
    "`[]string`": Array(Prim.STRING),
    "record": Record(0),
}
"""The types of the table by their titles; `s64` stands for the wider integers, `[]u32` for arrays of them."""


class Text(str):
    pass


class Whole(int):
    pass


class Letter(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


class Index:
    def __index__(self) -> int:
        return 1


class Person(NamedTuple):
    age: int
    name: str


class Place(NamedTuple):
    name: str
    height: int


@dataclass
class Employee:
    age: int
    name: str


@dataclass
class Town:
    name: str


ANN = ("Ann", 7)
INTEGER = {"`u8`": 1, "`s64`": 1, "`f64`": 1.0}
INTEGERS = {"`[]u8`": b"\1\2", "`[]u32`": [1, 2], "`[]f32`": [1.0, 2.0]}
FLOATS = {"`[]f32`": [0.5, 2.0]}
TEXT = {"`string`": "a"}


class Row(NamedTuple):
    """A kind of Python object.

    Attributes:
        title: what the table calls it.
        values: one or several of the kind.
        accepted: the internal value that each of `values` becomes, by column; it is refused in the others.
    """

    title: str
    values: tuple[Any, ...]
    accepted: Mapping[str, Any]


ROWS = (
    Row("`bool`, `numpy.bool`", (True, np.True_), {"`bool`": True}),
    Row("`int`, a subclass (`IntEnum`)", (1, Whole(1), Number.ONE), INTEGER),
    Row(
        "other object with `__index__` (`numpy.uint8`, an array of NumPy without dimensions)",
        (Index(), np.uint8(1), np.int64(1), np.array(1)),
        INTEGER,
    ),
    Row("`float`, a subclass (`numpy.float64`)", (0.5, np.float64(0.5)), {"`f64`": 0.5}),
    Row(
        "other object with `__float__` (`numpy.float32`, `Decimal`)",
        (np.float32(0.5), np.array(0.5), decimal.Decimal("0.5")),
        {"`f64`": 0.5},
    ),
    Row("`complex`", (1j, np.complex128(1)), {}),
    Row("`str`, a subclass (`StrEnum`, `numpy.str_`)", ("a", Text("a"), Letter.A, np.str_("a")), TEXT),
    Row("`bytes`, `bytearray`", (b"\1\2", bytearray(b"\1\2")), {"`[]u8`": b"\1\2"}),
    Row(
        "other buffer of unsigned bytes (`memoryview`, `array('B')`, NumPy, `ctypes`), contiguous or not",
        (
            memoryview(b"\1\2"),
            memoryview(b"\1_\2_")[::2],
            array("B", [1, 2]),
            np.array([1, 2], np.uint8),
            np.array([1, 0, 2, 0], np.uint8)[::2],
            (ctypes.c_ubyte * 2)(1, 2),
        ),
        INTEGERS,
    ),
    Row(
        "buffer of integers of any width, sign and order of bytes",
        (
            array("I", [1, 2]),
            array("q", [1, 2]),
            memoryview(array("h", [1, 2])),
            np.array([1, 2], ">i4"),
            np.array([1, 2], "<u2"),
            (ctypes.c_int64 * 2)(1, 2),
        ),
        INTEGERS,
    ),
    Row(
        "buffer of floats of any width and order of bytes",
        (array("d", [0.5, 2]), array("f", [0.5, 2]), np.array([0.5, 2], ">f8"), np.array([0.5, 2], np.float16)),
        FLOATS,
    ),
    Row("buffer of truth values, of several dimensions", (np.array([True]), np.zeros((2, 2), np.uint8)), {}),
    Row(
        "`list`, `tuple`, `range`, `deque`, any other sequence of integers",
        ([1, 2], (1, 2), range(1, 3), deque([1, 2]), UserList([1, 2])),
        INTEGERS,
    ),
    Row("sequence of floats", ([0.5, 2.0], (0.5, 2)), FLOATS),
    Row("sequence of strings", (["a", "b"], ("a", "b")), {"`[]string`": ["a", "b"]}),
    Row("empty sequence", ([], ()), {"`[]u8`": b"", "`[]u32`": [], "`[]f32`": [], "`[]string`": []}),
    Row("generator, `set`, `frozenset`, view of a `dict`", (iter([1]), {1}, frozenset([1]), {1: 2}.keys()), {}),
    Row(
        "`dict` or other mapping with exactly the fields",
        ({"age": 7, "name": "Ann"}, OrderedDict(age=7, name="Ann"), MappingProxyType({"age": 7, "name": "Ann"})),
        {"record": ANN},
    ),
    Row("mapping with other fields", ({"name": "Ann"}, {"name": "Ann", "age": 7, 1: 2}, {}), {}),
    Row(
        "dataclass, named tuple with exactly the fields, in any order",
        (Employee(7, "Ann"), Person(7, "Ann")),
        {"record": ANN},
    ),
    Row("dataclass, named tuple with other fields", (Town("Ann"), Place("Ann", 7)), {}),
    Row("plain `tuple` or `list` of all fields in order", (("Ann", 7), ["Ann", 7]), {"record": ANN}),
    Row("`None`, a class, any other object", (None, Employee, object()), {}),
)


def table() -> str:
    """The table as the page has it."""
    lines = [["given", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    lines += [[row.title, *("yes" if title in row.accepted else "" for title in COLUMNS)] for row in ROWS]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

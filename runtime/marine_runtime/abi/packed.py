"""Packed values: the form in which records and arrays cross between Python and Wasm, made for C loops on either side.

A packed value is one block of bytes that means the same at any address:

    row         every number, text length and array count that is reached without passing through an array
    extents     bytes of each column (u32)
    separators  the byte that ends each item of a column of strings (u32): NUL, or 0xFF when a string holds NUL
    columns     what arrays hold, one column after the other
    text        strings and byte arrays of the row, concatenated

The row is one `struct`, so a record of any depth is one `pack` and one `unpack`. A column has one kind of item: numbers
as they are, lengths of arrays and byte arrays, content of byte arrays, or strings with a separator behind each. Columns
are in the order of the type, walked depth first. No UTF-8 has the byte 0xFF.

Types that contain themselves, and types of many places, have no packed form; they are staged in the layout that they
have in a guest's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from struct import calcsize

from marine_runtime.abi.layout import Bytes, Flat, List, Shape, Struct, Text, shape
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.typing import assert_never
from marine_runtime.types import Array, Field, IType, Prim, Record, Records, RecordType

MAX_PLACES = 100
"""Places of the largest type that is packed: code is made for each of them."""

NUL, NO_TEXT = 0, 0xFF
"""The separators."""

_COUNT = "I"
_COUNT_SIZE = 4


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        size: bytes of an item; 0 when items have a length.
        text: whether items are strings, each with a separator behind it.
    """

    size: int = 0
    text: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """One place in a type.

    Attributes:
        number: its number, depth first.
        shape: its shape.
        name: the field that holds it; empty for others.
        in_row: whether no array is above it.
        offset: of its number, length or count in the row; -1 when it is in columns.
        counts: the column of its lengths or counts, when it is in columns; -1 for none.
        content: the column of its numbers, strings or bytes; -1 for none.
        parts: the element of an array, the fields of a record.
    """

    number: int
    shape: Shape
    name: str
    in_row: bool
    offset: int = -1
    counts: int = -1
    content: int = -1
    parts: tuple[Place, ...] = ()

    def walk(self) -> Iterator[Place]:
        """It and all places below it, depth first."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(slots=True)
class _Planner:
    records: Records
    codes: str = ""
    columns: list[Column] = field(default_factory=list)
    count: int = 0
    size: int = 0

    def place(self, part: Shape, name: str, *, in_row: bool) -> Place:
        number = self.count
        self.count += 1
        if self.count > MAX_PLACES:  # a type that contains itself gets here too
            raise _TooLargeError
        match part:
            case Flat(layout=slot):
                if in_row:
                    return Place(number, part, name, in_row, offset=self._leaf(slot.format))
                return Place(number, part, name, in_row, content=self._column(Column(slot.size)))
            case Text():
                if in_row:
                    return Place(number, part, name, in_row, offset=self._leaf(_COUNT))
                return Place(number, part, name, in_row, content=self._column(Column(text=True)))
            case Bytes():
                if in_row:
                    return Place(number, part, name, in_row, offset=self._leaf(_COUNT))
                counts = self._column(Column(_COUNT_SIZE))
                return Place(number, part, name, in_row, counts=counts, content=self._column(Column()))
            case List(element=element):
                offset, counts = -1, -1
                if in_row:
                    offset = self._leaf(_COUNT)
                else:
                    counts = self._column(Column(_COUNT_SIZE))
                inner = self.place(element, "", in_row=False)
                return Place(number, part, name, in_row, offset, counts, parts=(inner,))
            case Struct(id=index):
                fields = self.records[index].fields
                parts = tuple(self.place(shape(item.type), item.name, in_row=in_row) for item in fields)
                return Place(number, part, name, in_row, parts=parts)
            case _:
                assert_never(part)

    def _leaf(self, code: str) -> int:
        at = self.size
        self.codes += code
        self.size += calcsize(f"<{code}")  # nothing is padded
        return at

    def _column(self, column: Column) -> int:
        self.columns.append(column)
        return len(self.columns) - 1


class _TooLargeError(Exception):
    pass


@dataclass(frozen=True)
class Packing:
    """The packed form of one type.

    Attributes:
        root: the place of the whole value.
        row: `struct` codes of the row.
        columns: the columns, in order.
    """

    root: Place
    row: str
    columns: tuple[Column, ...]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All places, depth first."""
        return tuple(self.root.walk())

    @cached_property
    def leaves(self) -> tuple[Place, ...]:
        """The places that the row has a number for, in its order."""
        return tuple(place for place in self.places if place.offset >= 0)

    @cached_property
    def texts(self) -> tuple[Place, ...]:
        """The strings and byte arrays of the row, in the order of their text."""
        return tuple(place for place in self.leaves if isinstance(place.shape, (Text, Bytes)))

    @cached_property
    def separated(self) -> tuple[int, ...]:
        """The columns of strings."""
        return tuple(number for number, column in enumerate(self.columns) if column.text)

    @property
    def header(self) -> str:
        """`struct` codes of row, extents and separators."""
        return self.row + _COUNT * (len(self.columns) + len(self.separated))

    @property
    def extents(self) -> int:
        """The offset of the extents."""
        return calcsize(f"<{self.row}")

    @property
    def separators(self) -> int:
        """The offset of the separators."""
        return self.extents + _COUNT_SIZE * len(self.columns)

    @property
    def size(self) -> int:
        """The offset of the columns."""
        return calcsize(f"<{self.header}")


def packing(ty: IType, records: Records) -> Packing | None:
    """The packed form of `ty`; None for recursive and very large types, and for what is neither record nor array.

    An array of numbers has none either, see `is_numbers`.
    """
    part = shape(ty)
    if not isinstance(part, (List, Struct)) or is_numbers(part):
        return None
    return _planned(part, records)


def packing_of_result(ty: IType, records: Records) -> Packing | None:
    """The packed form of what a host function gives: strings, byte arrays and arrays of numbers have one there too."""
    part = shape(ty)
    return None if isinstance(part, Flat) else _planned(part, records)


def is_numbers(part: Shape) -> bool:
    """Return whether a shape is an array of flat values, whose layout in memory is a column already."""
    return isinstance(part, List) and isinstance(part.element, Flat)


def crosses(ty: IType, records: Records) -> bool:
    """Return whether a value crosses between Python and Wasm without code for its parts in Python."""
    part = shape(ty)
    return not isinstance(part, (List, Struct)) or is_numbers(part) or packing(ty, records) is not None


def packing_of_rows(params: Sequence[IType], records: Records) -> Packing | None:
    """The packed form of the arguments of many calls: an array of records with a field for each parameter.

    Values that have a packed form of their own are byte arrays in it. None when a parameter has no form here.
    """
    fields = []
    for number, ty in enumerate(params):
        if not crosses(ty, records):
            return None
        fields.append(Field(f"p{number}", Array(Prim.U8) if packing(ty, records) else ty))
    row = Record(max(records, default=-1) + 1)
    return _planned(shape(Array(row)), {**records, row.id: RecordType("row", tuple(fields))})


def _planned(part: Shape, records: Records) -> Packing | None:
    planner = _Planner(records)
    try:
        root = planner.place(part, "", in_row=True)
    except _TooLargeError:
        return None
    return Packing(root, planner.codes, tuple(planner.columns))

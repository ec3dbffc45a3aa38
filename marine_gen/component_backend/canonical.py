"""The canonical ABI of components: sizes, alignments and flattening of the types that Marine has.

Records lie inline and aligned; in Marine's layout a pointer leads to them, and nothing is aligned. Strings and lists
are a pointer and a length in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from marine_runtime.abi import Bytes, Flat, List, Shape, Struct, Text, record_body, shape
from marine_runtime.types import IType, Prim, Records

MAX_FLAT_PARAMS = 16
"""Core values of all parameters together; more are passed as one pointer to a tuple."""

POINTER: Flat = shape(Prim.U32)  # type: ignore[assignment]  # the row of the table is a Flat
"""The shape of a pointer or length in memory."""


class Extent(NamedTuple):
    """Bytes of a value in memory, and what its address is a multiple of."""

    size: int
    alignment: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """One core value of a flattened value, and where it is read from when the value lies in memory."""

    flat: Flat
    offset: int

    @property
    def core(self) -> str:
        """Its Wasm type."""
        return str(self.flat.layout.carrier[0])


class Canonical:
    """The canonical ABI of types with the given records."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._extents: dict[int, Extent] = {}  # of records, each of which is in the next one

    def extent(self, part: Shape) -> Extent:
        """Size and alignment of a value in memory."""
        match part:
            case Flat(layout=slot):
                return Extent(slot.size, slot.size)
            case Text() | Bytes() | List():
                return Extent(8, 4)
            case Struct(id=index):
                if index not in self._extents:
                    cells = record_body(self._records[index]).cells
                    self._extents[index] = self.tuple_extent([cell.shape for cell in cells])
                return self._extents[index]
            case _:
                assert_never(part)

    def offsets(self, parts: Sequence[Shape]) -> list[int]:
        """The offsets of fields that lie one after another."""
        found, end = [], 0
        for part in parts:
            size, alignment = self.extent(part)
            found.append(_aligned(end, alignment))
            end = found[-1] + size
        return found

    def tuple_extent(self, parts: Sequence[Shape]) -> Extent:
        """Size and alignment of fields that lie one after another."""
        if not parts:
            return Extent(0, 1)
        alignment = max(self.extent(part).alignment for part in parts)
        end = self.offsets(parts)[-1] + self.extent(parts[-1]).size
        return Extent(_aligned(end, alignment), alignment)

    def fields(self, part: Struct) -> Iterator[tuple[Shape, int, int]]:
        """The shape of each field, its offset here, and its offset in Marine's layout."""
        cells = record_body(self._records[part.id]).cells
        for cell, offset in zip(cells, self.offsets([cell.shape for cell in cells]), strict=True):
            yield cell.shape, offset, cell.offset

    def leaves(self, part: Shape, offset: int = 0) -> Iterator[Leaf]:
        """The flattened value, for a value at `offset`."""
        match part:
            case Flat():
                yield Leaf(part, offset)
            case Text() | Bytes() | List():
                yield from (Leaf(POINTER, offset), Leaf(POINTER, offset + 4))
            case Struct():
                for inner, at, _ in self.fields(part):
                    yield from self.leaves(inner, offset + at)
            case _:
                assert_never(part)

    def tuple_leaves(self, types: Sequence[IType]) -> list[Leaf]:
        """The flattened values of several types, for a tuple of them in memory."""
        parts = [shape(ty) for ty in types]
        return [leaf for part, at in zip(parts, self.offsets(parts), strict=True) for leaf in self.leaves(part, at)]

    def shrinks(self, part: Struct) -> bool:
        """True if Marine's body of a record can be made in place: no field moves to a higher address.

        A record in it has a pointer in the body, which may be larger than the record.
        """
        return all(
            packed <= offset and packed + inner.layout.size <= offset + self.extent(inner).size
            for inner, offset, packed in self.fields(part)
        )

    def differs(self, part: Shape) -> bool:
        """True if values have another form in memory than Marine's layout, behind what a parameter carries."""
        match part:
            case Flat() | Text() | Bytes():
                return False
            case List(element=element):
                return self.differs(element)
            case Struct():
                return True
            case _:
                assert_never(part)


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment

"""Packed values to values, without generated code: closures over the places of a type, made once.

Host functions use it, whose types are unknown when a module is compiled. What generated code does in straight lines
(`marine_gen.python_backend.unpack_values`) are calls here; both handle what arrays hold a column at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate, islice
from struct import Struct as Row

from marine_runtime.abi.layout import Bytes, Flat, Kind, List, Struct, Text
from marine_runtime.abi.packed import NO_TEXT, Packing, Place
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.wasm.memory import MANY, Memory

Maker = Callable[[Iterable[Any]], Any]
"""Makes a record of the values of its fields."""

_NO_TEXT = bytes([NO_TEXT])


class _Block:
    """A packed value while it is read: its numbers, and where its columns begin and end."""

    __slots__ = ("bounds", "cells", "separators", "view")

    def __init__(self, view: memoryview, cells: list[Any], bounds: list[int], separators: dict[int, int]) -> None:
        self.view, self.cells, self.bounds, self.separators = view, cells, bounds, separators

    def column(self, number: int) -> memoryview:
        return self.view[self.bounds[number] : self.bounds[number + 1]]


_One = Callable[[_Block], Any]
_Many = Callable[[_Block, int], "list[Any]"]


def unpacker(packed: Packing, memory: Memory, makers: Callable[[int], Maker] | None = None) -> Callable[[int], Any]:
    """A function from the address of a packed value in `memory` to the value.

    Args:
        packed: the form of its type.
        memory: the memory that has it.
        makers: from the index of a record to what makes it; records are tuples otherwise.

    The function raises UnicodeDecodeError, or ValueError, when a string is not UTF-8.
    """
    row = Row(f"<{packed.header}")
    leaves, columns, size = len(packed.leaves), len(packed.columns), packed.size
    positions = {place.number: at for at, place in enumerate(packed.leaves)}
    texts = [(positions[place.number], str if isinstance(place.shape, Text) else bytes) for place in packed.texts]
    separated = list(
        zip(packed.separated, range(leaves + columns, leaves + columns + len(packed.separated)), strict=True)
    )
    root = _Reader(memory, makers, positions).one(packed.root)

    def unpack(at: int) -> Any:
        memory.require(at, size)
        cells = list(row.unpack_from(memory.view, at))
        bounds = list(accumulate(cells[leaves : leaves + columns], initial=at + size))
        begin = end = bounds[-1]
        for position, _ in texts:
            end += cells[position]
        memory.require(at, end - at)
        view = memory.view
        for position, cls in texts:
            end = begin + cells[position]
            part = view[begin:end]
            cells[position] = str(part, "utf-8") if cls is str else bytes(part)
            begin = end
        return root(_Block(view, cells, bounds, {column: cells[at] for column, at in separated}))

    return unpack


class _Reader:
    """Compiles places: to functions for the one value of the row, and for all values of a column."""

    def __init__(self, memory: Memory, makers: Callable[[int], Maker] | None, positions: dict[int, int]) -> None:
        self._meter = memory.meter
        self._makers = makers
        self._positions = positions

    def one(self, place: Place) -> _One:
        part = place.shape
        match part:
            case Flat() | Text() | Bytes():
                at = self._positions[place.number]
                return lambda block: block.cells[at]
            case List():
                at, many = self._positions[place.number], self.many(place.parts[0])

                def read(block: _Block) -> Any:
                    count = block.cells[at]
                    return many(block, count) if count else []

                return read
            case Struct(id=index):
                return self._record(place, self._makers(index) if self._makers else tuple)
            case _:
                assert_never(part)

    def _record(self, place: Place, make: Maker) -> _One:
        """A record of the row. Fields without parts have their cells side by side."""
        if place.parts and all(isinstance(inner.shape, (Flat, Text, Bytes)) for inner in place.parts):
            first, last = (self._positions[place.parts[end].number] for end in (0, -1))
            return lambda block: make(block.cells[first : last + 1])
        parts = [self.one(inner) for inner in place.parts]
        return lambda block: make([part(block) for part in parts])

    def many(self, place: Place) -> _Many:
        run, meter = self._column(place), self._meter

        def read(block: _Block, count: int) -> list[Any]:
            if count > MANY:
                meter.tick()  # check: host clock between columns
            return run(block, count)

        return read

    def _column(self, place: Place) -> _Many:
        part, content, counts = place.shape, place.content, place.counts
        match part:
            case Flat(kind=Kind.BOOLEAN):  # any byte but 0 is true
                return lambda block, count: list(map(bool, block.column(content)))
            case Flat(layout=slot):
                code: Any = slot.format
                return lambda block, count: block.column(content).cast(code).tolist()
            case Text():
                return lambda block, count: _strings(block.column(content), block.separators[content], count)
            case Bytes():
                return lambda block, count: _pieces(bytes(block.column(content)), block.column(counts).cast("I"))
            case List():
                inner = self.many(place.parts[0])

                def arrays(block: _Block, count: int) -> list[Any]:
                    lengths = block.column(counts).cast("I").tolist()
                    items = iter(inner(block, sum(lengths)))
                    return [list(islice(items, length)) for length in lengths]

                return arrays
            case Struct(id=index):
                return self._records(place, self._makers(index) if self._makers else None)
            case _:
                assert_never(part)

    def _records(self, place: Place, make: Maker | None) -> _Many:
        columns, meter = [self.many(inner) for inner in place.parts], self._meter

        def records(block: _Block, count: int) -> list[Any]:
            rows = zip(*[column(block, count) for column in columns], strict=True) if columns else [()] * count
            if make is None:
                return list(rows)
            return list(map(make, rows if count <= MANY else meter.watched(list(rows))))

        return records


def _strings(data: memoryview, separator: int, count: int) -> list[str]:
    if not count:
        return []
    found = (
        list(map(bytes.decode, bytes(data)[:-1].split(_NO_TEXT))) if separator else str(data, "utf-8")[:-1].split("\0")
    )
    if len(found) != count:  # check: host strings that hold the separator
        raise ValueError("a string is not UTF-8")
    return found


def _pieces(data: bytes, lengths: memoryview) -> list[bytes]:
    ends = accumulate(lengths)
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]

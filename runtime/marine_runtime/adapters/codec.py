"""Lifting and lowering by walking the type: the reference for memory layout (docs/spec/memory.md).

The interpreter and the host functions use it. Generated code does the same with straight-line code per type, and falls
back to nothing here but the shared checks of `glue`. Values are internal values: `bytes`, lists, tuples for records.
All pointers and lengths are unsigned.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence

from marine_runtime.abi.helpers import BYTES_TAG
from marine_runtime.abi.layout import (
    Body,
    Bytes,
    Flat,
    Kind,
    List,
    OutOfLine,
    Shape,
    Struct,
    Text,
    record_body,
    shape,
)
from marine_runtime.abi.measures import MAX_RECORD_DEPTH
from marine_runtime.adapters.faults import failed_allocation, invalid_utf8, too_deep, too_large
from marine_runtime.errors import CallError
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.types import IType, Prim, Records
from marine_runtime.wasm.memory import Memory

Allocate = Callable[[int, int], int]
"""`allocate(size in bytes, element tag) -> address`."""

_MAX_BLOCK = 2**32 - 1


class Codec:
    """Lifts from and lowers into one memory.

    Every method raises CallError, with a path inside the value where there is one, when the guest's pointers lead
    outside its memory, a string is not UTF-8, an allocation fails, the parts of a value are shared too often
    (ValueLimitError), or the time of the call is up.
    """

    def __init__(self, memory: Memory, records: Records, allocate: Allocate) -> None:
        self._memory = memory
        self._meter = memory.meter
        self._records = records
        self._allocate = allocate
        self._bodies: dict[int, Body] = {}

    # Lifting: memory to value

    def lift_string(self, ptr: int, size: int, path: str = "$") -> str:
        """UTF-8 of `size` bytes. The pointer of an empty string means nothing."""
        return self._text(self.lift_bytes(ptr, size, path), path)

    def lift_bytes(self, ptr: int, size: int, path: str = "$") -> bytes:
        """A copy of `size` bytes. The pointer of an empty array means nothing."""
        return self._read(ptr, size, path) if size else b""

    def lift_array(self, element: IType, ptr: int, count: int, path: str = "$") -> Any:
        """`count` elements; a list, or bytes for elements of type u8."""
        if element is Prim.U8:
            return self.lift_bytes(ptr, count, path)
        self._meter.start()  # check: codec a new array is counted from zero
        return self._list(shape(element), ptr, count, path, 0, part=False)

    def lift_record(self, identifier: int, ptr: int, path: str = "$") -> tuple[Any, ...]:
        """The fields of record `identifier`, in order. The whole body must be inside the memory."""
        self._meter.start()
        return self._record(identifier, ptr, path, 0, part=False)

    def lift(self, part: OutOfLine, cells: Sequence[int], path: str = "$") -> Any:
        """The value that `cells` lead to: a pointer and, except for records, a length."""
        match part:
            case Text():
                return self.lift_string(cells[0], cells[1], path)
            case Bytes():
                return self.lift_bytes(cells[0], cells[1], path)
            case List(element=element):
                self._meter.start()  # check: codec a new array for the host is counted from zero
                return self._list(element, cells[0], cells[1], path, 0, part=False)
            case Struct(id=identifier):
                return self.lift_record(identifier, cells[0], path)
            case _:
                assert_never(part)

    @staticmethod
    def _text(data: bytes, path: str) -> str:
        try:
            return data.decode()  # check: codec UTF-8
        except UnicodeDecodeError as error:
            raise invalid_utf8(error, path) from None

    # What is outside the memory is refused as such, so parts are counted after their bounds are known. Roots are not
    # counted.

    def _bytes(self, ptr: int, size: int, path: str) -> bytes:
        data = self.lift_bytes(ptr, size, path)
        self._meter.pay(size)  # check: codec bytes are counted
        return data

    def _list(self, element: Shape, ptr: int, count: int, path: str, depth: int, *, part: bool = True) -> list[Any]:
        slot = element.layout
        body = self._read(ptr, slot.size * count, path) if count else b""  # check: codec bytes of an array
        if part:  # check: codec arrays are counted
            self._meter.pay(len(body))
        if isinstance(element, Flat):
            return _unpacked(element, body)
        return [self._lift_slot(element, body, index * slot.size, f"{path}[{index}]", depth) for index in range(count)]

    def _record(self, identifier: int, ptr: int, path: str, depth: int, *, part: bool = True) -> tuple[Any, ...]:
        if depth >= MAX_RECORD_DEPTH:  # check: codec depth of records
            raise too_deep()
        record = self._body(identifier)
        body = self._read(ptr, record.size, path)  # check: codec whole body of a record
        if part:  # check: codec records are counted
            self._meter.pay(len(body))
        values = []
        for cell in record.cells:
            value = self._lift_slot(cell.shape, body, cell.offset, f"{path}.{cell.name}", depth + 1)
            values.append(value)  # in a comprehension, every level of nesting would take one more frame
        return tuple(values)

    def _body(self, identifier: int) -> Body:
        known = self._bodies.get(identifier)
        if known is None:
            known = self._bodies[identifier] = record_body(self._records[identifier])
        return known

    def _lift_slot(self, slot: Shape, body: bytes, offset: int, path: str, depth: int) -> Any:
        """The value whose array slot or record field is at `offset` of `body`."""
        cells = struct.unpack_from(f"<{slot.layout.format}", body, offset)
        match slot:
            case Flat():
                return cells[0]
            case Struct(id=identifier):
                return self._record(identifier, cells[0], path, depth)
            case Text():
                return self._text(self._bytes(cells[0], cells[1], path), path)
            case Bytes():
                return self._bytes(cells[0], cells[1], path)
            case List(element=element):
                return self._list(element, cells[0], cells[1], path, depth)
            case _:
                assert_never(slot)

    def _read(self, ptr: int, size: int, path: str) -> bytes:
        try:
            return self._memory.read(ptr, size)
        except CallError as error:
            raise CallError(error.reason, path=path) from None

    # Lowering: value to memory. Guests see order, sizes and tags of the allocations (docs/spec/memory.md#arrays).

    def store_string(self, ptr: int, text: str) -> tuple[int, int]:
        """Write UTF-8 to the block at `ptr`; gives (ptr, size in bytes)."""
        return self.store_bytes(ptr, text.encode())

    def store_bytes(self, ptr: int, data: bytes) -> tuple[int, int]:
        """Write `data` to the block at `ptr`; gives (ptr, size)."""
        if data:
            if not ptr:  # check: codec failed allocation of bytes
                raise failed_allocation(len(data))
            self._memory.write(ptr, data)
        return ptr, len(data)

    def lower_string(self, text: str) -> tuple[int, int]:
        """Allocate and write UTF-8; gives (ptr, size in bytes). An empty string allocates 0 bytes."""
        return self.lower_bytes(text.encode())

    def lower_bytes(self, data: bytes) -> tuple[int, int]:
        """Allocate and write; gives (ptr, size). Empty bytes allocate 0 bytes."""
        return self.store_bytes(self._allocate(len(data), BYTES_TAG), data)

    def lower_array(self, element: IType, values: Any) -> tuple[int, int]:
        """Allocate and write; gives (ptr, element count). An empty list allocates nothing.

        The outer block is allocated before what its elements refer to.
        """
        return self.lower_bytes(values) if element is Prim.U8 else self._lower_list(shape(element), values)

    def lower_record(self, identifier: int, values: tuple[Any, ...]) -> int:
        """Write the fields' own blocks, then allocate and write the body; gives its address."""
        record = self._body(identifier)
        cells: list[Any] = []
        for cell, value in zip(record.cells, values, strict=True):
            cells += self.lower(cell.shape, value)
        body = struct.pack(f"<{record.format}", *cells)
        ptr = self._new_block(len(body), BYTES_TAG)
        self._memory.write(ptr, body)
        return ptr

    def _lower_list(self, element: Shape, values: list[Any]) -> tuple[int, int]:
        if not values:
            return 0, 0
        slot = element.layout
        ptr = self._new_block(slot.size * len(values), slot.tag)
        if isinstance(element, Flat):
            body = struct.pack(f"<{len(values)}{slot.format}", *rounded(element, values))
        else:
            cells: list[int] = []
            for value in values:
                cells += self.lower(element, value)
            body = struct.pack(f"<{len(cells)}I", *cells)
        self._memory.write(ptr, body)
        return ptr, len(values)

    def lower(self, part: Shape, value: Any) -> Sequence[Any]:
        """Allocate and write what is out of line; gives what the value's slot holds."""
        match part:
            case Flat():
                return rounded(part, [value])
            case Struct(id=identifier):
                return (self.lower_record(identifier, value),)
            case Text():
                return self.lower_string(value)
            case Bytes():
                return self.lower_bytes(value)
            case List(element=element):
                return self._lower_list(element, value)
            case _:
                assert_never(part)

    def _new_block(self, size: int, tag: int) -> int:
        if size > _MAX_BLOCK:  # check: codec block of 4 GiB
            raise too_large(size)
        ptr = self._allocate(size, tag)
        if not ptr:  # check: codec failed allocation of a block
            raise failed_allocation(size)
        self._memory.require(ptr, size)  # check: codec block inside the memory
        return ptr


def from_carrier(flat: Flat, raw: Any) -> Any:
    """The value that a core value represents. Narrow integers are truncated, as Marine does (docs/spec/host.md)."""
    match flat.kind:
        case Kind.BOOLEAN:
            return raw != 0
        case Kind.SIGNED:
            low = raw & (1 << flat.bits) - 1
            return low - (1 << flat.bits) if low >> flat.bits - 1 else low
        case Kind.UNSIGNED:
            return raw & (1 << flat.bits) - 1
        case Kind.FLOAT:
            return raw
        case _:
            assert_never(flat.kind)


def to_carrier(flat: Flat, value: Any) -> Any:
    """The core value that carries `value`."""
    match flat.kind:
        case Kind.BOOLEAN:
            return int(value)
        case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return value
        case _:
            assert_never(flat.kind)


def _unpacked(flat: Flat, body: bytes) -> list[Any]:
    """The elements of an array of flat values."""
    match flat.kind:
        case Kind.BOOLEAN:
            return list(map(bool, body))
        case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return array(flat.layout.format, body).tolist()
        case _:
            assert_never(flat.kind)


def rounded(flat: Flat, values: list[Any]) -> Sequence[Any]:
    """F32 values that `struct` can pack: it refuses what rounds to infinity, which interface types do not."""
    return array("f", values) if flat.prim is Prim.F32 else values

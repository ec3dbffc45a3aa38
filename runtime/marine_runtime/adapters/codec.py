"""Lifting and lowering by walking the type: the reference for memory layout (spec interface-types §6).

The interpreter and the host functions use it. Generated code does the same with straight-line code per type, and falls
back to nothing here but the shared checks of `glue`. Values are internal values: `bytes`, lists, tuples for records.
All pointers and lengths are unsigned.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import Any

from marine_runtime.errors import CallError
from marine_runtime.messages import counted
from marine_runtime.types import Array, IType, Prim, Record, Records, body_size, is_bytes, layout
from marine_runtime.wasm.memory import Memory

Allocate = Callable[[int, int], int]
"""`allocate(size in bytes, element tag) -> address`."""

MAX_RECORD_DEPTH = 128
"""Records nested deeper than this are refused; a guest could otherwise tie a knot of pointers."""

_MAX_BLOCK = 2**32 - 1


def failed_allocation(size: int) -> CallError:
    """`allocate` gave 0 for a block that is not empty; the guest is out of memory."""
    return CallError(f"`allocate` returned 0 for {counted(size, 'byte')}")


def invalid_utf8(error: UnicodeDecodeError, path: str = "$") -> CallError:
    """A guest's string is not UTF-8."""
    size = counted(len(error.object), "byte")
    return CallError(f"invalid UTF-8 at byte {error.start} of a string of {size}", path=path)


def too_deep() -> CallError:
    """Records are nested beyond `MAX_RECORD_DEPTH`."""
    return CallError(f"records are nested more than {MAX_RECORD_DEPTH} deep")


def too_large(size: int) -> CallError:
    """A block does not fit a 32-bit memory."""
    return CallError(f"{size} bytes do not fit into a 32-bit memory")


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

    # Lifting: memory to value

    def lift_string(self, ptr: int, size: int, path: str = "$") -> str:
        """UTF-8 of `size` bytes. The pointer of an empty string means nothing."""
        return self._text(self.lift_bytes(ptr, size, path), path)

    def lift_bytes(self, ptr: int, size: int, path: str = "$") -> bytes:
        """A copy of `size` bytes. The pointer of an empty array means nothing."""
        return self._read(ptr, size, path) if size else b""

    def lift_array(self, element: IType, ptr: int, count: int, path: str = "$") -> Any:
        """`count` elements; a list, or bytes for elements of type u8."""
        self._meter.start()
        return self._array(element, ptr, count, path, 0, part=False)

    def lift_record(self, identifier: int, ptr: int, path: str = "$") -> tuple[Any, ...]:
        """The fields of record `identifier`, in order. The whole body must be inside the memory."""
        self._meter.start()
        return self._record(identifier, ptr, path, 0, part=False)

    @staticmethod
    def _text(data: bytes, path: str) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise invalid_utf8(error, path) from None

    # What is outside the memory is refused as such, so parts are counted after their bounds are known. Roots are not
    # counted.

    def _bytes(self, ptr: int, size: int, path: str) -> bytes:
        data = self.lift_bytes(ptr, size, path)
        self._meter.pay(size)
        return data

    def _array(self, element: IType, ptr: int, count: int, path: str, depth: int, *, part: bool = True) -> Any:
        if element is Prim.U8:
            return self._bytes(ptr, count, path) if part else self.lift_bytes(ptr, count, path)
        slot = layout(element)
        body = self._read(ptr, slot.size * count, path) if count else b""
        if part:
            self._meter.pay(len(body))
        if element is Prim.BOOLEAN:
            return list(map(bool, body))
        if slot.code:
            return array(slot.code, body).tolist()
        return [self._lift_slot(element, body, index * slot.size, f"{path}[{index}]", depth) for index in range(count)]

    def _record(self, identifier: int, ptr: int, path: str, depth: int, *, part: bool = True) -> tuple[Any, ...]:
        if depth >= MAX_RECORD_DEPTH:
            raise too_deep()
        record = self._records[identifier]
        body = self._read(ptr, body_size(record), path)
        if part:
            self._meter.pay(len(body))
        values = []
        offset = 0
        for item in record.fields:
            values.append(self._lift_slot(item.type, body, offset, f"{path}.{item.name}", depth + 1))
            offset += layout(item.type).size
        return tuple(values)

    def _lift_slot(self, ty: IType, body: bytes, offset: int, path: str, depth: int) -> Any:
        """The value whose array slot or record field stands at `offset` of `body`."""
        if code := layout(ty).code:
            return struct.unpack_from("<" + code, body, offset)[0]
        if isinstance(ty, Record):
            (ptr,) = struct.unpack_from("<I", body, offset)
            return self._record(ty.id, ptr, path, depth)
        ptr, size = struct.unpack_from("<II", body, offset)
        if ty is Prim.STRING:
            return self._text(self._bytes(ptr, size, path), path)
        if is_bytes(ty):
            return self._bytes(ptr, size, path)
        assert isinstance(ty, Array)
        return self._array(ty.element, ptr, size, path, depth)

    def _read(self, ptr: int, size: int, path: str) -> bytes:
        try:
            return self._memory.read(ptr, size)
        except CallError as error:
            raise CallError(error.reason, path=path) from None

    # Lowering: value to memory. Order, sizes and tags of the allocations are what guests see (spec §6.3, §6.4).

    def store_string(self, ptr: int, text: str) -> tuple[int, int]:
        """Write UTF-8 to the block at `ptr`; gives (ptr, size in bytes)."""
        return self.store_bytes(ptr, text.encode())

    def store_bytes(self, ptr: int, data: bytes) -> tuple[int, int]:
        """Write `data` to the block at `ptr`; gives (ptr, size)."""
        if data:
            if not ptr:
                raise failed_allocation(len(data))
            self._memory.write(ptr, data)
        return ptr, len(data)

    def lower_string(self, text: str) -> tuple[int, int]:
        """Allocate and write UTF-8; gives (ptr, size in bytes). An empty string allocates 0 bytes."""
        return self.lower_bytes(text.encode())

    def lower_bytes(self, data: bytes) -> tuple[int, int]:
        """Allocate and write; gives (ptr, size). Empty bytes allocate 0 bytes."""
        return self.store_bytes(self._allocate(len(data), 1), data)

    def lower_array(self, element: IType, values: Any) -> tuple[int, int]:
        """Allocate and write; gives (ptr, element count). An empty list allocates nothing.

        The outer block is allocated before what its elements refer to.
        """
        if element is Prim.U8:
            return self.lower_bytes(values)
        if not values:
            return 0, 0
        slot = layout(element)
        ptr = self._new_block(slot.size * len(values), slot.tag)
        if slot.code:
            body = struct.pack(f"<{len(values)}{slot.code}", *_rounded(element, values))
        else:
            body = b"".join([self._lower_slot(element, value) for value in values])
        self._memory.write(ptr, body)
        return ptr, len(values)

    def lower_record(self, identifier: int, values: tuple[Any, ...]) -> int:
        """Write the fields' own blocks, then allocate and write the body; gives its address."""
        record = self._records[identifier]
        body = b"".join([self._lower_slot(item.type, value) for item, value in zip(record.fields, values, strict=True)])
        ptr = self._new_block(len(body), 1)
        self._memory.write(ptr, body)
        return ptr

    def _lower_slot(self, ty: IType, value: Any) -> bytes:
        """What an array slot or record field holds for `value`, after its own blocks are written."""
        if code := layout(ty).code:
            return struct.pack("<" + code, *_rounded(ty, [value]))
        if isinstance(ty, Record):
            return struct.pack("<I", self.lower_record(ty.id, value))
        if ty is Prim.STRING:
            return struct.pack("<II", *self.lower_string(value))
        if is_bytes(ty):
            return struct.pack("<II", *self.lower_bytes(value))
        assert isinstance(ty, Array)
        return struct.pack("<II", *self.lower_array(ty.element, value))

    def _new_block(self, size: int, tag: int) -> int:
        if size > _MAX_BLOCK:
            raise too_large(size)
        ptr = self._allocate(size, tag)
        if not ptr:
            raise failed_allocation(size)
        self._memory.require(ptr, size)
        return ptr


def _rounded(ty: IType, values: Any) -> Any:
    """F32 values that `struct` can pack: it refuses what rounds to infinity, which interface types do not."""
    return array("f", values) if ty is Prim.F32 else values

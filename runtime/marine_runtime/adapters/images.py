"""Results of host functions: allocated in the guest and written there by Wasm, in one call for all parts of a value.

The image of a value has its blocks, in the order in which lowering allocates them, and where their addresses go:

    number of blocks, index of the root's block (NOTHING for an empty array), length, whether there is a length
    for each block: size, tag, the block that holds its address (NOTHING for the root), offset there
    content of the blocks, one after the other, with 0 instead of addresses

All numbers are u32. Images lie in a memory of their own; a guest that calls the host while an image is placed gets the
next one behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from marine_runtime.abi.helpers import BYTES_TAG, AbiHelper
from marine_runtime.abi.layout import Body, Bytes, Flat, Form, List, OutOfLine, Shape, Struct, Text, record_body
from marine_runtime.adapters.codec import rounded
from marine_runtime.adapters.faults import failed_allocation
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.types import Records
from marine_runtime.wasm import Instance, Store
from marine_runtime.wasm.api import CoreFunction
from marine_runtime.wasm.memory import Memory

PAGES = 16
"""Size of the memory of images. Values that do not fit are lowered part by part."""

NOTHING = 2**32 - 1

_HEAD, _BLOCK = struct.Struct("<4I"), struct.Struct("<4I")
_ONE = struct.Struct("<8I")
_WORD = struct.Struct("<I")
_SIZE = PAGES << 16

_TEXT = f"""\
(module $images
  (import "0" "images" (memory $images 1))
  (import "1" "memory" (memory $guest 0))
  (import "1" "{AbiHelper.ALLOCATE.export}" (func $allocate (param i32 i32) (result i32)))
  (import "1" "{AbiHelper.SET_RESULT_PTR.export}" (func $set_result_ptr (param i32)))
  (import "1" "{AbiHelper.SET_RESULT_SIZE.export}" (func $set_result_size (param i32)))

  ;; Place the image at this address. The number of the block, from 1, that the guest has no room for; 0 for none.
  (func (export "place") (param $image i32) (result i32)
    (local $first i32) (local $end i32) (local $row i32) (local $data i32) (local $size i32) (local $ptr i32)
    (local.set $first (i32.add (local.get $image) (i32.const {_HEAD.size})))
    (local.set $end (i32.add (local.get $first) (i32.mul (i32.load (local.get $image)) (i32.const {_BLOCK.size}))))
    (local.set $data (local.get $end))
    (local.set $row (local.get $first))
    (block $written
      (loop $next
        (br_if $written (i32.eq (local.get $row) (local.get $end)))
        (local.set $size (i32.load (local.get $row)))
        (local.set $ptr (call $allocate (local.get $size) (i32.load offset=4 (local.get $row))))
        (i32.store (local.get $row) (local.get $ptr))
        (if (local.get $size)
          (then
            (if (i32.eqz (local.get $ptr))  ;; check: staging failed allocation for an image
              (then (return (call $number (local.get $first) (local.get $row))))
            )
            ;; check: staging block of an image inside the memory
            (if (i64.gt_u
                  (i64.add (i64.extend_i32_u (local.get $ptr)) (i64.extend_i32_u (local.get $size)))
                  (i64.shl (i64.extend_i32_u (memory.size $guest)) (i64.const 16)))
              (then (return (call $number (local.get $first) (local.get $row))))
            )
            (memory.copy $guest $images (local.get $ptr) (local.get $data) (local.get $size))
            (local.set $data (i32.add (local.get $data) (local.get $size)))
          )
        )
        (local.set $row (i32.add (local.get $row) (i32.const {_BLOCK.size})))
        (br $next)
      )
    )
    (local.set $row (local.get $first))
    (block $linked
      (loop $next
        (br_if $linked (i32.eq (local.get $row) (local.get $end)))
        (if (i32.ne (i32.load offset=8 (local.get $row)) (i32.const {NOTHING}))
          (then
            (i32.store $guest align=1
              (i32.add
                (i32.load offset=12 (local.get $row))
                (call $address (local.get $first) (i32.load offset=8 (local.get $row))))
              (i32.load (local.get $row)))
          )
        )
        (local.set $row (i32.add (local.get $row) (i32.const {_BLOCK.size})))
        (br $next)
      )
    )
    (call $set_result_ptr
      (if (result i32) (i32.eq (i32.load offset=4 (local.get $image)) (i32.const {NOTHING}))
        (then (i32.const 0))
        (else (call $address (local.get $first) (i32.load offset=4 (local.get $image))))))
    (if (i32.load offset=12 (local.get $image))
      (then (call $set_result_size (i32.load offset=8 (local.get $image))))
    )
    (i32.const 0)
  )

  ;; The number of a block, from 1.
  (func $number (param $first i32) (param $row i32) (result i32)
    (i32.add
      (i32.const 1)
      (i32.div_u (i32.sub (local.get $row) (local.get $first)) (i32.const {_BLOCK.size})))
  )

  ;; Where a block was allocated.
  (func $address (param $first i32) (param $block i32) (result i32)
    (i32.load (i32.add (local.get $first) (i32.mul (local.get $block) (i32.const {_BLOCK.size}))))
  )
)
"""


class Images:
    """The memory of images of one service.

    Attributes:
        native: as something to import.
        memory: as something to look into.
        free: its first free byte.
    """

    def __init__(self, store: Store) -> None:
        self.native, self.memory = store.new_memory(PAGES)
        self.free = 0


class Placer:
    """Places images in one guest."""

    def __init__(self, images: Images, guest: Memory, run: CoreFunction) -> None:
        self._images = images
        self._guest = guest
        self._run = run

    @staticmethod
    def module(store: Store, images: Images, instance: Instance) -> Instance:
        """An instance of the module behind placers, for one guest."""
        helpers = (AbiHelper.ALLOCATE, AbiHelper.SET_RESULT_PTR, AbiHelper.SET_RESULT_SIZE)
        imports = {("1", helper.export): instance.export(helper.export) for helper in helpers}
        imports["0", "images"] = images.native
        imports["1", "memory"] = instance.export(instance.module.memory or "")
        return store.instantiate(store.helper(_TEXT), imports)

    def place_bytes(self, data: bytes) -> bool:
        """Place a string or byte array and make it the result; False when it is too large."""
        size = len(data)
        return size < _SIZE and self.place(_ONE.pack(1, 0, size, 1, size, BYTES_TAG, NOTHING, 0) + data)

    def place(self, image: bytes) -> bool:
        """Place an image and make it the result; False when it is too large.

        Raises:
            CallError: the guest has no room for a block.
        """
        images = self._images
        at = images.free
        end = at + len(image)
        view = images.memory.view
        if end > len(view):  # check: staging image that fits its memory
            return False
        view[at:end] = image
        images.free = end + 3 & ~3
        try:
            bad = self._run(at)
        finally:
            images.free = at
        if bad:
            self._refuse(at + _HEAD.size + _BLOCK.size * (bad - 1), _BLOCK.unpack_from(image, _BLOCK.size * bad)[0])
        return True

    def _refuse(self, row: int, size: int) -> None:
        (ptr,) = _WORD.unpack_from(self._images.memory.view, row)
        if not ptr:
            raise failed_allocation(size)
        self._guest.require(ptr, size)


class Imaging:
    """Makes images of values."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._bodies: dict[int, Body] = {}
        self._room = 0

    def image(self, part: OutOfLine, value: Any) -> bytes | None:
        """The image of an internal value; None when it is too large."""
        blocks: list[list[int]] = []
        content: list[bytes] = []
        self._room = _SIZE
        try:
            cells, root = self._lower(part, value, blocks, content)
        except _TooLargeError:
            return None
        pair = part.layout.form is Form.PAIR
        numbers = [number for block in blocks for number in block]
        head = _HEAD.pack(len(blocks), root, cells[1] if pair else 0, pair)
        return b"".join((head, struct.pack(f"<{len(numbers)}I", *numbers), *content))

    def _lower(
        self, part: Shape, value: Any, blocks: list[list[int]], content: list[bytes]
    ) -> tuple[Sequence[Any], int]:
        """Add the blocks of a value; gives what its slot holds, and the block whose address belongs there."""
        match part:
            case Flat():
                return rounded(part, [value]), NOTHING
            case Text():
                data = value.encode()
                return (0, len(data)), self._add(data, BYTES_TAG, blocks, content)
            case Bytes():
                return (0, len(value)), self._add(value, BYTES_TAG, blocks, content)
            case List():
                return (0, len(value)), self._list(part, value, blocks, content)
            case Struct():
                return (0,), self._record(part, value, blocks, content)
            case _:
                assert_never(part)

    def _list(self, part: List, values: Any, blocks: list[list[int]], content: list[bytes]) -> int:
        """The outer block comes first; an empty array has none."""
        if not values:
            return NOTHING
        element, slot = part.element, part.element.layout
        if isinstance(element, Flat):
            data = struct.pack(f"<{len(values)}{slot.format}", *rounded(element, values))
            return self._add(data, slot.tag, blocks, content)
        if slot.size * len(values) > self._room:
            raise _TooLargeError
        own = self._add(bytes(slot.size * len(values)), slot.tag, blocks, content)
        cells: list[int] = []
        for position, value in enumerate(values):
            found, inner = self._lower(element, value, blocks, content)
            cells += found
            _hold(inner, own, slot.size * position, blocks)
        content[own] = struct.pack(f"<{len(cells)}I", *cells)
        return own

    def _record(self, part: Struct, values: Any, blocks: list[list[int]], content: list[bytes]) -> int:
        """Out-of-line fields come first, then the body."""
        if part.id not in self._bodies:
            self._bodies[part.id] = record_body(self._records[part.id])
        body = self._bodies[part.id]
        cells: list[Any] = []
        inner: list[tuple[int, int]] = []
        for cell, value in zip(body.cells, values, strict=True):
            found, block = self._lower(cell.shape, value, blocks, content)
            cells += found
            inner.append((block, cell.offset))
        own = self._add(struct.pack(f"<{body.format}", *cells), BYTES_TAG, blocks, content)
        for block, offset in inner:
            _hold(block, own, offset, blocks)
        return own

    def _add(self, data: bytes, tag: int, blocks: list[list[int]], content: list[bytes]) -> int:
        self._room -= len(data) + _BLOCK.size
        if self._room < 0:
            raise _TooLargeError
        blocks.append([len(data), tag, NOTHING, 0])
        content.append(data)
        return len(content) - 1


class _TooLargeError(Exception):
    pass


def _hold(block: int, holder: int, offset: int, blocks: list[list[int]]) -> None:
    """Say where the address of a block goes."""
    if block != NOTHING:
        blocks[block][2:] = holder, offset

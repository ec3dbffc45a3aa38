"""Programs of host functions: types as tables that Wasm walks (`host_text`).

All words are u32. A program begins with its head:

    columns, offset of the extents, columns of strings, bytes of all bodies, offset of the columns, 0, the root

and has a place for each place of the type:

    kind, offset in the row, lengths, content, size, more, parts

Lengths and content are offsets of cursors in the state of a walk, 0 for none. The size is that of an item, of an
element's slot or of a record's body. `more` is the offset of the separator of a string, the tag of an array, the number
of fields of a record. Parts are the element, or for each field the place and its offset in the body.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from marine_runtime.abi.layout import Bytes, Flat, Form, List, Struct, Text, record_body
from marine_runtime.abi.packed import Packing, Place
from marine_runtime.lazy.typing import assert_never
from marine_runtime.types import Records

FLAT, TEXT, BYTES, LIST, STRUCT = range(5)
"""The kinds of places."""

IN_COLUMNS = 2**32 - 1
"""The offset in the row of what is in columns."""

_HEAD = 7
_STATE, _CURSOR = 16, 8


class Programs:
    """The programs of one module, one behind the other. Address 0 means none."""

    def __init__(self) -> None:
        self._words = [0, 0]

    def add(self, packed: Packing, records: Records) -> int:
        """The address of a program; its lowest bit tells that values of the type have a length."""
        start = len(self._words)
        bodies = sum(
            record_body(records[place.shape.id]).size for place in packed.places if isinstance(place.shape, Struct)
        )
        head = [len(packed.columns), packed.extents, len(packed.separated), bodies, packed.size, 0, 0]
        self._words += head
        separators = {
            column: _STATE + _CURSOR * (len(packed.columns) + at) for at, column in enumerate(packed.separated)
        }
        self._words[start + _HEAD - 1] = self._place(packed.root, records, separators)
        return 4 * start + (packed.root.shape.layout.form is Form.PAIR)

    def data(self) -> bytes:
        """All programs."""
        return struct.pack(f"<{len(self._words)}I", *self._words)

    def _place(self, place: Place, records: Records, separators: dict[int, int]) -> int:
        start = len(self._words)
        kind, size, more = _described(place, records, separators)
        offset = place.offset if place.offset >= 0 else IN_COLUMNS
        self._words += [kind, offset, _cursor(place.counts), _cursor(place.content), size, more]
        offsets = list(_offsets(place, records))
        room = len(self._words)
        self._words += [0] * (2 * len(offsets) if kind == STRUCT else len(offsets))
        for number, (part, at) in enumerate(zip(place.parts, offsets, strict=True)):
            inner = self._place(part, records, separators)
            if kind == STRUCT:
                self._words[room + 2 * number : room + 2 * number + 2] = inner, at
            else:
                self._words[room + number] = inner
        return 4 * start


def _described(place: Place, records: Records, separators: dict[int, int]) -> tuple[int, int, int]:
    """The kind of a place, its size, and what more there is to say."""
    part = place.shape
    match part:
        case Flat(layout=slot):
            return FLAT, slot.size, 0
        case Text():
            return TEXT, 1, separators.get(place.content, 0)
        case Bytes():
            return BYTES, 1, 0
        case List(element=element):
            return LIST, element.layout.size, element.layout.tag
        case Struct(id=index):
            return STRUCT, record_body(records[index]).size, len(place.parts)
        case _:
            assert_never(part)


def _cursor(column: int) -> int:
    return _STATE + _CURSOR * column if column >= 0 else 0


def _offsets(place: Place, records: Records) -> Iterator[int]:
    """The offsets of the parts of a place in what holds them."""
    if isinstance(place.shape, Struct):
        yield from (cell.offset for cell in record_body(records[place.shape.id]).cells)
    elif isinstance(place.shape, List):
        yield 0

"""Sizes of values in the memory of a module."""

from __future__ import annotations

from dataclasses import fields

from marine_runtime.abi.layout import Bytes, Flat, List, Shape, Struct, Text, shape
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.types import IType, Records


def memory_size(ty: IType, records: Records, value: Any) -> int:
    """Bytes that `value` takes in the memory of a module, with everything it points to (docs/spec/memory.md#sizes).

    What an array slot or record field holds counts: 8 bytes for a string and an array, 4 for a record, and then the
    blocks behind them. Records are tuples, or instances of a dataclass.
    """
    return _size(shape(ty), records, value)


def _size(slot: Shape, records: Records, value: Any) -> int:
    match slot:
        case Flat():
            return slot.layout.size
        case Text():
            return slot.layout.size + len(value.encode())
        case Bytes() | List(element=Flat()):
            return slot.layout.size + slot.unit * len(value)
        case List(element=element):
            return slot.layout.size + sum(_size(element, records, item) for item in value)
        case Struct(id=index):
            members = value if isinstance(value, tuple) else [getattr(value, item.name) for item in fields(value)]
            declared = records[index].fields
            inner = (memory_size(item.type, records, member) for item, member in zip(declared, members, strict=True))
            return slot.layout.size + sum(inner)
        case _:
            assert_never(slot)

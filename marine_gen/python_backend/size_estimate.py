"""Estimates of the size of a value, as expressions that do not look at all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import assert_never

from marine_runtime.abi import Bytes, Flat, List, Struct, Text, shape
from marine_runtime.types import IType, Records

_MAX_PARTS = 16
"""Parts of one value that are looked at. Records in records could have any number of them."""


@dataclass(frozen=True, slots=True)
class SizeEstimate:
    """The size of a value, as far as it is known without a walk.

    Attributes:
        text: an expression over its variable for the bytes of what has its size at hand; empty when nothing has.
        whole: whether that is all of it, but for the bodies of records.
    """

    text: str
    whole: bool

    @classmethod
    def of(cls, name: str, ty: IType, records: Records, *, length: str = "") -> SizeEstimate:
        """The estimate for a value of type `ty`.

        Args:
            name: the variable that holds the value.
            ty: its type.
            records: the record types of its module.
            length: an expression for the length of a string or array; by default, the variable is asked.
        """
        found = list(islice(_sizes(name, ty, records, length or f"len({name})"), _MAX_PARTS + 1))
        known = " + ".join(size for size in found[:_MAX_PARTS] if size)
        return cls(known, None not in found and len(found) <= _MAX_PARTS)


def _sizes(name: str, ty: IType, records: Records, length: str) -> Iterator[str | None]:
    """About how many bytes each part of the value `name` takes, as expressions.

    That of a record itself is empty, as its body is small; None means an array whose elements have to be counted.
    """
    part = shape(ty)
    match part:
        case Struct(id=index):
            yield ""
            for position, item in enumerate(records[index].fields):
                field = f"{name}[{position}]"
                yield from _sizes(field, item.type, records, f"len({field})")
        case Text() | Bytes() | List(element=Flat()):
            yield length if part.unit == 1 else f"{part.unit} * {length}"
        case List():
            yield None
        case Flat():
            return
        case _:
            assert_never(part)

"""How large a value is, as generated code can say without looking at all of it."""

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
    """How large a value is, as far as that can be said at once.

    Attributes:
        text: an expression over its variable for the bytes of what has its size at hand; empty when nothing has.
        whole: whether that is all of it, but for the bodies of records.
    """

    text: str
    whole: bool

    @classmethod
    def of(cls, name: str, ty: IType, records: Records) -> SizeEstimate:
        """That of a value of type `ty` in the variable `name`."""
        found = list(islice(_sizes(name, ty, records), _MAX_PARTS + 1))
        known = " + ".join(size for size in found[:_MAX_PARTS] if size)
        return cls(known, None not in found and len(found) <= _MAX_PARTS)


def _sizes(name: str, ty: IType, records: Records) -> Iterator[str | None]:
    """About how many bytes each part of the value `name` takes, as expressions.

    That of a record itself is empty, as its body is small; None stands for an array whose elements have to be counted.
    """
    part = shape(ty)
    match part:
        case Struct(id=index):
            yield ""
            for position, item in enumerate(records[index].fields):
                yield from _sizes(f"{name}[{position}]", item.type, records)
        case Text() | Bytes() | List(element=Flat()):
            yield f"len({name})" if part.unit == 1 else f"{part.unit} * len({name})"
        case List():
            yield None
        case Flat():
            return
        case _:
            assert_never(part)

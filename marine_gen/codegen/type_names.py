"""Names of types in generated code."""

from __future__ import annotations

from typing import assert_never

from marine_runtime.abi import Bytes, Flat, List, Shape, Struct, Text, shape
from marine_runtime.types import IType


def type_key(ty: IType) -> str:
    """`ty` as part of an identifier: `array_record_6`. Equivalent spellings of a type have one key."""
    return _key(shape(ty))


def _key(part: Shape) -> str:
    match part:
        case Flat(prim=prim):
            return prim.value
        case Text():
            return "string"
        case Bytes():
            return "bytes"
        case List(element=element):
            return f"array_{_key(element)}"
        case Struct(id=index):
            return f"record_{index}"
        case _:
            assert_never(part)

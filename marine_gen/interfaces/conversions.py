"""Rules of the conversions `x.from_y` (docs/spec/instructions.md#integer-conversions)."""

from __future__ import annotations

from enum import Enum

from marine_runtime.abi import CORE_TYPES, INTEGER_RANGES, Flat, Kind, shape
from marine_runtime.types import IType


class Conversion(Enum):
    """The kind of a conversion, with the documentation of its instruction."""

    TO_BOOLEAN = "true for any non-zero value"
    FROM_BOOLEAN = "1 or 0"
    REINTERPRET = "reinterpret the bits"
    WIDEN = "convert; cannot fail"
    NARROW = "convert; fails outside the range of {target}"


def conversion(source: IType, target: IType) -> Conversion:
    """The conversion from `source` to `target`, one of which is a core integer."""
    pair = shape(source), shape(target)
    if not (isinstance(pair[0], Flat) and isinstance(pair[1], Flat)):
        raise ValueError(f"no conversion from {source} to {target}")
    given, wanted = pair[0], pair[1]
    if wanted.kind is Kind.BOOLEAN:
        return Conversion.TO_BOOLEAN
    if given.kind is Kind.BOOLEAN:
        return Conversion.FROM_BOOLEAN
    # Core integers have no sign: an unsigned one of their width has the same bits.
    unsigned = [part for part in (given, wanted) if part.kind is Kind.UNSIGNED]
    core = [part for part in (given, wanted) if part.prim in CORE_TYPES]
    if len(unsigned) == len(core) == 1 and given.bits == wanted.bits:
        return Conversion.REINTERPRET
    low, high = INTEGER_RANGES[given.prim]
    target_low, target_high = INTEGER_RANGES[wanted.prim]
    return Conversion.WIDEN if target_low <= low and high <= target_high else Conversion.NARROW

"""Bools, numbers and strings: the checks of single values, and of whole arrays of them at C speed.

`Mismatch`, the error that all checks of values share, is here too. Arrays, records and argument lists are checked in
`values`.
"""

from __future__ import annotations

import operator
import sys
from array import array
from collections.abc import Callable, Mapping
from ctypes import c_float

from marine_runtime.abi.layout import INTEGER_RANGES, PRIMITIVES, Flat, Kind, Text
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.texts.messages import counted, printable
from marine_runtime.types import Prim, describe
from marine_runtime.values.buffers import is_number

Coercer = Callable[[Any, int], Any]
"""Takes a value and its nesting depth (the outermost is 1), returns the internal value, raises `Mismatch`."""

Bulk = Callable[[list[Any]], "list[Any] | None"]
"""Takes all elements of an array, returns them coerced, or None when they need one look each."""


_MAX_STEPS = 40

MAX_LENGTH = 2**32 - 1
"""Bytes of a string or an array at most: sizes are 32-bit numbers on their way into a guest."""


class Mismatch(Exception):  # noqa: N818 - internal; never leaves the runtime
    """A value does not fit its type. Every level that it passes on its way out adds the step that leads inwards."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.steps: list[str] = []

    def path(self, start: str = "$") -> str:
        """The path to the value from `start`. The middle of a very long path is left out."""
        steps = self.steps[::-1]
        if len(steps) > _MAX_STEPS:
            steps[_MAX_STEPS // 2 : -(_MAX_STEPS // 2)] = ["…"]
        return start + "".join(steps)


def too_large(expected: str, count: int, unit: str, most: int = MAX_LENGTH) -> Mismatch:
    """The error for a string or an array that no guest can hold."""
    return Mismatch(f"expected {expected}, got {counted(count, unit)} (at most {most})")


def abbreviated(value: object) -> str:
    """A short `repr` that can't fail."""
    # Printing a huge int costs its square, or is refused by the interpreter.
    import reprlib

    if isinstance(value, int) and int.bit_length(value) > 256:
        return f"an int of {int.bit_length(value)} bits"
    try:
        return printable(reprlib.repr(value))
    except Exception:
        return f"<{type(value).__name__}>"


def kind(value: object) -> str:
    """The description of a Python value, for a message."""
    if value is None:
        return "None"
    cls = type(value)
    module = "" if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}."
    return printable(f"{module}{cls.__name__}")


def truth_of(value: object) -> bool | None:
    """The truth value that a bool, NumPy's too, stands for; None for anything else. NumPy is not imported for that."""
    if value is True or value is False:
        return value
    numpy = sys.modules.get("numpy")
    return bool(value) if numpy is not None and isinstance(value, getattr(numpy, "bool_", ())) else None


def _is_number(value: object, method: str) -> bool:
    """Return whether `value` is a scalar that says by `method` which number it stands for."""
    import numbers

    if not hasattr(type(value), method) or isinstance(value, (str, bytes, bytearray)) or truth_of(value) is not None:
        return False
    if isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real):
        return False
    shown = is_number(value)  # an array of NumPy without dimensions is one, too
    return not hasattr(type(value), "__len__") if shown is None else shown


def unreadable(expected: str, kind: str, error: Exception) -> Mismatch:
    """The error for a value whose own code failed."""
    return Mismatch(
        f"expected {expected}, got {kind} that can't be read ({printable(f'{type(error).__name__}: {error}')})"
    )


def _read(convert: Callable[[Any], Any], value: object, expected: str) -> Any:
    try:
        return convert(value)
    except Exception as error:
        raise unreadable(expected, kind(value), error) from error


def to_f32(value: float) -> float:
    """`value` rounded to binary32; overflow gives an infinity."""
    return c_float(value).value


def _int_to_float(value: int, ty: Prim) -> float:
    excess = value.bit_length() - 53
    if ty is Prim.F32 and excess > 0:
        # Rounding to f64 and then to f32 can be off by one. The lowest bit kept stands for all that are dropped.
        magnitude = abs(value)
        kept = magnitude >> excess | (magnitude & ((1 << excess) - 1) != 0)
        value = (kept << excess) * (1 if value > 0 else -1)
    try:
        result = float(value)
    except OverflowError:
        raise Mismatch(f"expected {ty.value}, got {abbreviated(value)} (too large for a float)") from None
    return to_f32(result) if ty is Prim.F32 else result


def scalars(kind: Callable[[object], str]) -> dict[Prim, Coercer]:
    """The coercers of bools, numbers and strings, with `kind` naming what came in their messages."""

    def wrong(expected: str, value: object) -> Mismatch:
        return Mismatch(f"expected {expected}, got {kind(value)}")

    def boolean(value: Any, depth: int) -> bool:
        if value is True or value is False:
            return value
        truth = truth_of(value)
        if truth is None:
            raise wrong("bool", value)
        return truth

    def integer(ty: Prim) -> Coercer:
        low, high = INTEGER_RANGES[ty]
        expected = describe(ty, {})

        def coerce_integer(value: Any, depth: int) -> Any:
            if type(value) is int and low <= value <= high:
                return value
            if isinstance(value, int) and not isinstance(value, bool):
                number = int.__int__(value)  # not `int(value)`, which a subclass may override
            elif _is_number(value, "__index__"):
                number = int.__int__(_read(operator.index, value, expected))
            else:
                raise wrong(expected, value)
            if low <= number <= high:
                return number
            raise Mismatch(f"expected {expected}, got {abbreviated(number)} (out of range {low}..{high})")

        return coerce_integer

    def floating(ty: Prim) -> Coercer:
        def coerce_float(value: Any, depth: int) -> float:
            if isinstance(value, float):
                return to_f32(value) if ty is Prim.F32 else float.__float__(value)
            if isinstance(value, int) and not isinstance(value, bool):
                return _int_to_float(int.__int__(value), ty)
            if _is_number(value, "__index__") and not hasattr(type(value), "__float__"):
                return _int_to_float(int.__int__(_read(operator.index, value, ty.value)), ty)
            if _is_number(value, "__float__"):
                number = float.__float__(_read(float, value, ty.value))
                return to_f32(number) if ty is Prim.F32 else number
            raise wrong(ty.value, value)

        return coerce_float

    def string(value: Any, depth: int) -> str:
        if not isinstance(value, str):
            raise wrong("string", value)
        size = len(value)
        if not value.isascii():
            try:
                size = len(value.encode())
            except UnicodeEncodeError as error:
                what = f"a lone surrogate U+{ord(value[error.start]):04X} at character {error.start}"
                raise Mismatch(f"expected string, got {what}, which UTF-8 can't encode") from None
        if size > MAX_LENGTH:
            raise too_large("string", size, "byte")
        return value if type(value) is str else str.__str__(value)

    def of(part: Flat | Text) -> Coercer:
        if isinstance(part, Text):
            return string
        match part.kind:
            case Kind.BOOLEAN:
                return boolean
            case Kind.SIGNED | Kind.UNSIGNED:
                return integer(part.prim)
            case Kind.FLOAT:
                return floating(part.prim)
            case _:
                assert_never(part.kind)

    return {prim: of(part) for prim, part in PRIMITIVES.items() if isinstance(part, (Flat, Text))}


SCALARS = scalars(kind)
"""The rules for Python values."""


def all_of(items: list[Any], wanted: type) -> bool:
    """Return whether all items are of exactly that class, for classes that do not redefine equality of classes."""
    return list(map(type, items)).count(wanted) == len(items)


def _bulk_integers(ty: Prim) -> Bulk:
    low, high = INTEGER_RANGES[ty]

    def bulk(items: list[Any]) -> list[Any] | None:
        fits = set(map(type, items)) <= {int} and (not items or (low <= min(items) and max(items) <= high))
        return items if fits else None

    return bulk


def _bulk_strings(items: list[Any]) -> list[Any] | None:
    return items if set(map(type, items)) <= {str} and all(map(str.isascii, items)) else None


def bulk_bytes(items: list[Any]) -> list[Any] | None:
    """The check of many byte arrays."""
    return items if all_of(items, bytes) and max(map(len, items), default=0) <= MAX_LENGTH else None


def _bulk_f32(items: list[Any]) -> list[Any] | None:
    return array("f", items).tolist() if set(map(type, items)) <= {float} else None


def _bulk_of(wanted: type) -> Bulk:
    return lambda items: items if set(map(type, items)) <= {wanted} else None


def _bulk(part: Flat | Text) -> Bulk:
    if isinstance(part, Text):
        return _bulk_strings
    match part.kind:
        case Kind.BOOLEAN:
            return _bulk_of(bool)
        case Kind.SIGNED | Kind.UNSIGNED:
            return _bulk_integers(part.prim)
        case Kind.FLOAT:
            return _bulk_f32 if part.prim is Prim.F32 else _bulk_of(float)
        case _:
            assert_never(part.kind)


BULK: Mapping[Prim, Bulk] = {prim: _bulk(part) for prim, part in PRIMITIVES.items() if isinstance(part, (Flat, Text))}
"""Arrays of one Python type are checked by C loops."""

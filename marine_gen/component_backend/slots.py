"""Numbers in the memory of a component as Wasm text: one, those that carry a value in Marine's layout, arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from marine_gen.codegen.writer import Writer
from marine_gen.component_backend.canonical import POINTER
from marine_gen.component_backend.staging import AREA
from marine_gen.wasm_backend.code import FunctionCode
from marine_gen.wasm_backend.expressions import const, get, when
from marine_runtime.abi import Bytes, Flat, Kind, List, Shape, Struct, Text

_SUFFIXES = {1: "8", 2: "16"}


class Slots:
    """Bytes with a fixed place: `end` says where they end, behind `AREA`."""

    def __init__(self) -> None:
        self.end = 0

    def take(self, size: int) -> int:
        """The address of so many bytes more, a multiple of 8."""
        at = AREA + self.end
        self.end += (size + 7) & -8
        return at


def load(flat: Flat, base: str, offset: int) -> str:
    """The number in a slot, as a core value."""
    core, suffix = flat.layout.carrier[0], _SUFFIXES.get(flat.layout.size, "")
    if suffix:
        suffix += "_s" if flat.kind is Kind.SIGNED else "_u"
    return f"({core}.load{suffix} offset={offset} align=1 {base})"


def store(flat: Flat, base: str, offset: int, value: str) -> str:
    """Write a core value to a slot."""
    core, suffix = flat.layout.carrier[0], _SUFFIXES.get(flat.layout.size, "")
    return f"({core}.store{suffix} offset={offset} align=1 {base} {value})"


def _slots(part: Shape, offset: int) -> list[tuple[Flat, int]]:
    """The numbers in a slot of Marine's layout, with their offsets."""
    match part:
        case Flat():
            return [(part, offset)]
        case Text() | Bytes() | List():
            return [(POINTER, offset), (POINTER, offset + 4)]
        case Struct():
            return [(POINTER, offset)]
        case _:
            assert_never(part)


def load_carried(part: Shape, base: str, offset: int) -> list[str]:
    """The numbers that carry a value, from its slot in Marine's layout."""
    return [load(flat, base, at) for flat, at in _slots(part, offset)]


def store_carried(writer: Writer, part: Shape, base: str, offset: int, values: Sequence[str]) -> None:
    """Write the numbers that carry a value to its slot in Marine's layout."""
    for (flat, at), value in zip(_slots(part, offset), values, strict=True):
        writer.line(store(flat, base, at, value))


LOOPED = " (param $from i32) (param $count i32) (result i32)"
"""The signature of the functions of arrays."""


@contextmanager
def array_loop(step_from: int, step_to: int, *, in_place: bool) -> Iterator[FunctionCode]:
    """Write the body of a function of `LOOPED` around the statements for one element.

    With `in_place` the slots of both forms are the same.
    """
    code = FunctionCode()
    code.declare("block")
    code.declare("to")
    with when(code, f"(i32.eqz {get('count')})"):
        code.line("(return (i32.const 0))")
    size = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(step_to, 'i64')})"
    block = get("from") if in_place else f"(call $stage {size})"
    code.line(f"(local.set $to (local.tee $block {block}))")
    with code.block("loop $next"):
        yield code
        code.line(f"(local.set $from (i32.add {get('from')} {const(step_from)}))")
        code.line(f"(local.set $to (i32.add {get('to')} {const(step_to)}))")
        code.line(f"(local.set $count (i32.sub {get('count')} {const(1)}))")
        code.line(f"(br_if $next {get('count')})")
    code.line(get("block"))

"""Checks of values where they lie: bounds, UTF-8, nesting. One function per type and memory, shared by all adapters.

A check gives 1 or 0 and never traps: the adapter that asked reports the fault with the operands of its own
instruction. Sizes are computed in 64 bits. What holds 0 elements is valid whatever its pointer says.
"""

from __future__ import annotations

from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_runtime.abi import (
    MAX_RECORD_DEPTH,
    Bytes,
    Flat,
    Form,
    Kind,
    List,
    OutOfLine,
    Shape,
    Struct,
    Text,
    cost,
    has_parts,
    layout_of,
    record_body,
    shape,
)
from marine_runtime.types import IType


class Validators:
    """The check functions of one glue module. Asking for one requests it."""

    def __init__(self, imports: GlueImports, library: Library) -> None:
        self._imports = imports
        self._library = library

    def inside(self, module: str) -> str:
        """The function (ptr: i32, size: i64) -> i32 that says whether a range is inside the memory of `module`."""
        self._imports.memory(module)
        return self._library.symbol("inside", self._imports.symbol(module))

    def of(self, module: str, ty: IType) -> str:
        """The function that checks a `ty` in the memory of `module`: (ptr[, count], depth) -> i32."""
        name = f"check.{self._imports.symbol(module)}.{type_key(ty)}"
        definitions = self._library.definitions
        if name not in definitions:  # it is entered before it is written: the type may contain itself
            with definitions.definition(name) as made:
                made.lines = self._function(name, module, shape(ty))
        return f"${definitions.use(name)}"

    def call(self, module: str, ty: IType, ptr: str, length: str, depth: str) -> str:
        """A call of the check of `ty`."""
        return f"(call {self.of(module, ty)} {ptr}{' ' + length if layout_of(ty).form is Form.PAIR else ''} {depth})"

    def start_meter(self, module: str, ty: IType) -> str:
        """The statements that run before a value is checked; none when it has no parts."""
        parts = has_parts(shape(ty), self._imports.owner(module).records)
        if not parts:
            return ""
        return f"(call {self._library.symbol('start', self._imports.symbol(module))})"

    def _function(self, name: str, module: str, part: Shape) -> list[str]:
        match part:
            case Text() | Bytes() | List():
                return self._list(name, module, part)
            case Struct():
                return self._record(name, module, part)
            case Flat():
                raise AssertionError(f"a {part.prim} is not lifted from memory")
            case _:
                assert_never(part)

    def _list(self, name: str, module: str, part: Text | Bytes | List) -> list[str]:
        """Strings, byte arrays and arrays."""
        writer = Writer(WAT, 1)
        size = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(part.unit, 'i64')})"  # check: fused bytes of a list
        with writer.block(f"func ${name} (param $ptr i32) (param $count i32) (param $depth i32) (result i32)"):
            element = _checked(part.element) if isinstance(part, List) else None
            if element is not None:
                writer.line("(local $at i32) (local $end i32)")
            with when(writer, f"(i32.eqz {get('count')})"):  # check: fused empty lists have no address
                writer.line(f"(return {const(1)})")
            # check: fused list inside the memory
            with when(writer, f"(i32.eqz (call {self.inside(module)} {get('ptr')} {size}))"):
                writer.line(f"(return {const(0)})")
            if isinstance(part, Text):
                valid = self._library.symbol("utf8", self._imports.symbol(module))
                writer.line(f"(call {valid} {get('ptr')} {get('count')})")  # check: fused UTF-8
            elif element is None:
                writer.line(const(1))
            else:
                writer.line(f"(local.set $at {get('ptr')})")
                end = f"(i32.add {get('ptr')} (i32.mul {get('count')} {const(part.unit)}))"
                writer.line(f"(local.set $end {end})")
                with writer.block("loop $next"):
                    self._slot(writer, module, element, "at", 0, get("depth"))
                    writer.line(f"(local.set $at (i32.add {get('at')} {const(part.unit)}))")
                    writer.line(f"(br_if $next (i32.ne {get('at')} {get('end')}))")
                writer.line(const(1))
        return writer.lines

    def _record(self, name: str, module: str, part: Struct) -> list[str]:
        body = record_body(self._imports.owner(module).records[part.id])
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name} (param $ptr i32) (param $depth i32) (result i32)"):
            with when(writer, f"(i32.ge_u {get('depth')} {const(MAX_RECORD_DEPTH)})"):  # check: fused depth of records
                writer.line(f"(return {const(0)})")
            size = const(body.size, "i64")
            # check: fused record inside the memory
            with when(writer, f"(i32.eqz (call {self.inside(module)} {get('ptr')} {size}))"):
                writer.line(f"(return {const(0)})")
            deeper = f"(i32.add {get('depth')} {const(1)})"
            for cell in body.cells:
                if (inner := _checked(cell.shape)) is not None:
                    self._slot(writer, module, inner, "ptr", cell.offset, deeper)
            writer.line(const(1))
        return writer.lines

    def _slot(self, writer: Writer, module: str, part: OutOfLine, base: str, offset: int, depth: str) -> None:
        """Count and check the value whose slot is at `offset` from the local `base`."""
        memory = self._imports.memory(module)
        ptr = f"(i32.load {memory} offset={offset} align=1 {get(base)})"
        length = f"(i32.load {memory} offset={offset + 4} align=1 {get(base)})"
        fixed, each = cost(part, self._imports.owner(module).records)
        paid = const(fixed, "i64")  # check: fused bytes of records are counted
        if each:
            # check: fused bytes of lists are counted
            paid = f"(i64.add {paid} (i64.mul {const(each, 'i64')} (i64.extend_i32_u {length})))"
        # Counted first: a value whose parts are shared without end is not looked at without end.
        for passed in (
            f"(call {self._library.symbol('pay')} {paid})",  # check: fused parts are counted
            self.call(module, part.type, ptr, length, depth),  # check: fused parts of values
        ):
            with when(writer, f"(i32.eqz {passed})"):
                writer.line(f"(return {const(0)})")


def _checked(slot: Shape) -> OutOfLine | None:
    """The part behind `slot` that has to be checked; None where any bytes are a valid value."""
    if not isinstance(slot, Flat):
        return slot
    match slot.kind:
        case Kind.BOOLEAN | Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return None
        case _:
            assert_never(slot.kind)

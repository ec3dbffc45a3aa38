"""In-place checks of values: bounds, UTF-8, nesting.

A check is written in place as long as the function that it belongs to has room, and is a call of the shared function of
its type and memory from there on. It never traps: it branches to a label, behind which the adapter reports the fault
with the operands of its own instruction. Sizes are computed in 64 bits. What holds 0 elements is valid whatever its
pointer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.wasm_backend.code import FunctionCode, is_walked
from marine_gen.wasm_backend.expressions import bytes_of, const, get, outside, when
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_gen.wasm_backend.words import ascii_in_words
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
    record_body,
    shape,
)
from marine_runtime.types import IType
from marine_runtime.wasm import FACTOR, FLOOR


@dataclass(frozen=True, slots=True)
class _Check:
    """The check of one value.

    Attributes:
        code: the writer of its text.
        module: the module in whose memory the value is.
        limit: the expression for the bytes of that memory (i64), which is read once: nothing grows meanwhile.
        bad: the label that it branches to.
        depth: the expression for the depth of the value; None for the outermost.
    """

    code: FunctionCode
    module: str
    limit: str
    bad: str
    depth: str | None = None

    def nested(self, levels: int) -> str:
        """The depth of what is so many records deeper."""
        if self.depth is None:
            return const(levels)
        return f"(i32.add {self.depth} {const(levels)})" if levels else self.depth


class Validators:
    """The check functions of one glue module. Asking for one requests it."""

    def __init__(self, imports: GlueImports, library: Library) -> None:
        self._imports = imports
        self._library = library

    def of(self, module: str, ty: IType) -> str:
        """The function that checks a `ty` in the memory of `module`: (ptr[, count], depth) -> i32."""
        name = f"check.{self._imports.symbol(module)}.{type_key(ty)}"
        definitions = self._library.definitions
        if name not in definitions:  # it is entered before it is written: the type may contain itself
            with definitions.definition(name) as made:
                made.lines = self._function(name, module, shape(ty))
        return f"${definitions.use(name)}"

    def emit(self, code: FunctionCode, module: str, ty: IType, ptr: str, length: str, bad: str) -> None:
        """Check a value and branch to `bad` if it is none. `ptr` and `length` are read more than once."""
        part = shape(ty)
        assert not isinstance(part, Flat)
        limit = ""
        if not is_walked(part) and code.takes(part, self._imports.owner(module).records):
            limit = code.keep("limit", bytes_of(self._imports.memory(module)), "i64")
        self._part(_Check(code, module, limit, bad), part, ptr, length, 0)

    def start_meter(self, module: str, ty: IType) -> str:
        """The statements that run before a value is checked; none when it has no parts."""
        parts = has_parts(shape(ty), self._imports.owner(module).records)
        if not parts:
            return ""
        if self._library.caller.in_component:
            most = f"(i64.mul {bytes_of(self._imports.memory(module))} {const(FACTOR, 'i64')})"
            floor = const(FLOOR, "i64")
            most = f"(select {most} {floor} (i64.gt_u {most} {floor}))"
            return f"(global.set {self._library.symbol('left')} {most})"
        return f"(call {self._library.symbol('start', self._imports.symbol(module))})"

    def _function(self, name: str, module: str, part: Shape) -> list[str]:
        assert not isinstance(part, Flat), "what is flat is not lifted from memory"
        code = FunctionCode()
        with code.block("block $bad"):
            limit = code.keep("limit", bytes_of(self._imports.memory(module)), "i64")
            check = _Check(code, module, limit, "$bad", get("depth"))
            match part:
                case List() if is_walked(part):
                    self._list(check, part)
                case Text() | Bytes() | List() | Struct():
                    self._in_place(check, part, get("ptr"), get("count"), 0)
                case _:
                    assert_never(part)
            code.line(f"(return {const(1)})")
        code.line(const(0))
        count = " (param $count i32)" if part.layout.form is Form.PAIR else ""
        return code.function(name, f" (param $ptr i32){count} (param $depth i32) (result i32)")

    def _part(self, check: _Check, part: OutOfLine, ptr: str, length: str, levels: int) -> None:
        """A value in place or by a call; `levels` counts the records around it in this function."""
        records = self._imports.owner(check.module).records
        if not is_walked(part) and check.code.takes(part, records):
            check.code.spend()
            self._in_place(check, part, ptr, length, levels)
            return
        count = f" {length}" if part.layout.form is Form.PAIR else ""
        passed = f"(call {self.of(check.module, part.type)} {ptr}{count} {check.nested(levels)})"
        check.code.line(f"(br_if {check.bad} (i32.eqz {passed}))")  # check: fused parts of values

    def _in_place(self, check: _Check, part: OutOfLine, ptr: str, length: str, levels: int) -> None:
        code = check.code
        match part:
            case Text() | Bytes() | List():
                with when(code, length):  # check: fused empty lists have no address
                    self._inside(check, part, ptr, length)
                    if isinstance(part, Text):
                        self._text(check, ptr, length)
            case Struct():
                self._record(check, part, ptr, levels)
            case _:
                assert_never(part)

    def _inside(self, check: _Check, part: Text | Bytes | List, ptr: str, length: str) -> None:
        size = f"(i64.extend_i32_u {length})"
        if part.unit != 1:
            size = f"(i64.mul {size} {const(part.unit, 'i64')})"  # check: fused bytes of a list
        # check: fused list inside the memory
        check.code.line(f"(br_if {check.bad} {outside(ptr, size, check.limit)})")

    def _text(self, check: _Check, ptr: str, length: str) -> None:
        code, memory = check.code, self._imports.memory(check.module)
        ascii_ = code.label("ascii")
        with code.block(f"block {ascii_}"):
            ascii_in_words(code, ascii_, memory, ptr, length)
            valid = f"(call {self._library.symbol('utf8', self._imports.symbol(check.module))} {ptr} {length})"
            code.line(f"(br_if {check.bad} (i32.eqz {valid}))")  # check: fused UTF-8

    def _list(self, check: _Check, part: List) -> None:
        """Arrays whose elements are checked one by one."""
        code = check.code
        element = part.element
        assert not isinstance(element, Flat)
        with when(code, f"(i32.eqz {get('count')})"):  # check: fused empty arrays have no address
            code.line(f"(return {const(1)})")
        self._inside(check, part, get("ptr"), get("count"))
        end = code.keep("end", f"(i32.add {get('ptr')} (i32.mul {get('count')} {const(part.unit)}))")
        with code.block("loop $next"):
            self._slot(check, element, get("ptr"), 0, 0)
            code.line(f"(local.set $ptr (i32.add {get('ptr')} {const(part.unit)}))")
            code.line(f"(br_if $next (i32.ne {get('ptr')} {end}))")

    def _record(self, check: _Check, part: Struct, ptr: str, levels: int) -> None:
        code = check.code
        body = record_body(self._imports.owner(check.module).records[part.id])
        if check.depth is not None:  # there is no room for so many records in one adapter
            # check: fused depth of records
            code.line(f"(br_if {check.bad} (i32.ge_u {check.nested(levels)} {const(MAX_RECORD_DEPTH)}))")
        # check: fused record inside the memory
        code.line(f"(br_if {check.bad} {outside(ptr, const(body.size, 'i64'), check.limit)})")
        for cell in body.cells:
            if (inner := _checked(cell.shape)) is not None:
                self._slot(check, inner, ptr, cell.offset, levels + 1)

    def _slot(self, check: _Check, part: OutOfLine, base: str, offset: int, levels: int) -> None:
        """Count and check the value whose slot is at `offset` from `base`."""
        code, memory = check.code, self._imports.memory(check.module)
        ptr = code.keep("ptr", f"(i32.load {memory} offset={offset} align=1 {base})")
        length = ""
        fixed, each = cost(part, self._imports.owner(check.module).records)
        paid = const(fixed, "i64")  # check: fused bytes of records are counted
        if part.layout.form is Form.PAIR:
            length = code.keep("len", f"(i32.load {memory} offset={offset + 4} align=1 {base})")
            counted = f"(i64.extend_i32_u {length})"
            if each != 1:
                counted = f"(i64.mul {const(each, 'i64')} {counted})"
            paid = f"(i64.add {paid} {counted})"  # check: fused bytes of lists are counted
        # Counted first: a value whose parts are shared without end is not looked at without end.
        left = self._library.symbol("left")
        code.line(f"(global.set {left} (i64.sub (global.get {left}) {paid}))")  # check: fused parts are counted
        # check: fused limit of shared parts
        code.line(f"(br_if {check.bad} (i64.lt_s (global.get {left}) {const(0, 'i64')}))")
        self._part(check, part, ptr, length, levels)


def _checked(slot: Shape) -> OutOfLine | None:
    """The part behind `slot` that has to be checked; None where any bytes are a valid value."""
    if not isinstance(slot, Flat):
        return slot
    match slot.kind:
        case Kind.BOOLEAN | Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return None
        case _:
            assert_never(slot.kind)

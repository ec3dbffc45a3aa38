"""Checks of values where they lie: bounds, UTF-8, nesting. One function per type and memory, shared by all adapters.

A check gives 1 or 0 and never traps: the adapter that asked reports the fault with the operands of its own
instruction. Sizes are computed in 64 bits. What holds 0 elements is valid whatever its pointer says.
"""

from __future__ import annotations

from marine_gen.wasm_backend.imports import GlueImports, type_key
from marine_gen.wasm_backend.writer import Writer, const, get
from marine_runtime.adapters import MAX_RECORD_DEPTH
from marine_runtime.types import Array, IType, Prim, Record, body_size, is_bytes, layout
from marine_runtime.wasm import PART


class Validators:
    """The check functions of one glue module. `functions` holds finished code by symbol, `utf8` the memories with
    strings, `metered` those with values whose parts are counted.
    """

    def __init__(self, places: GlueImports) -> None:
        self._places = places
        self.functions: dict[str, list[str]] = {}
        self.utf8: dict[str, None] = {}
        self.bounds: dict[str, None] = {}
        self.metered: dict[str, None] = {}

    def inside(self, module: str) -> str:
        """The function (ptr: i32, size: i64) -> i32 that says whether a range is inside the memory of `module`."""
        self._places.memory(module)
        self.bounds[module] = None
        return f"$inside.{self._places.symbol(module)}"

    def of(self, module: str, ty: IType) -> str:
        """The function that checks a `ty` in the memory of `module`: (ptr[, count], depth) -> i32."""
        name = f"check.{self._places.symbol(module)}.{type_key(ty)}"
        if name not in self.functions:
            self.functions[name] = []  # entered first: the type may contain itself
            self.functions[name] = (
                self._record(name, module, ty) if isinstance(ty, Record) else self._list(name, module, ty)
            )
        return f"${name}"

    def call(self, module: str, ty: IType, ptr: str, length: str, depth: str) -> str:
        """A call of the check of `ty`."""
        return f"(call {self.of(module, ty)} {ptr}{'' if isinstance(ty, Record) else ' ' + length} {depth})"

    def start_meter(self, module: str, ty: IType) -> str:
        """What has to run before a value is checked; nothing when it has no parts."""
        fields = self._places.owner(module).records[ty.id].fields if isinstance(ty, Record) else ()
        parts = not layout(ty.element).code if isinstance(ty, Array) else any(not layout(f.type).code for f in fields)
        if not parts:
            return ""
        self.metered[module] = None
        return f"(call $start.{self._places.symbol(module)})"

    def _list(self, name: str, module: str, ty: IType) -> list[str]:
        """Strings, byte arrays and arrays."""
        writer = Writer()
        element = Prim.U8 if ty is Prim.STRING or is_bytes(ty) else ty.element if isinstance(ty, Array) else ty
        slot = layout(element)
        size = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(slot.size, 'i64')})"
        with writer.block(f"func ${name} (param $ptr i32) (param $count i32) (param $depth i32) (result i32)"):
            nested = not slot.code
            if nested:
                writer.line("(local $at i32) (local $end i32)")
            with writer.when(f"(i32.eqz {get('count')})"):
                writer.line(f"(return {const(1)})")
            with writer.when(f"(i32.eqz (call {self.inside(module)} {get('ptr')} {size}))"):
                writer.line(f"(return {const(0)})")
            if ty is Prim.STRING:
                self.utf8[module] = None
                writer.line(f"(call $utf8.{self._places.symbol(module)} {get('ptr')} {get('count')})")
            elif not nested:
                writer.line(const(1))
            else:
                writer.line(f"(local.set $at {get('ptr')})")
                end = f"(i32.add {get('ptr')} (i32.mul {get('count')} {const(slot.size)}))"
                writer.line(f"(local.set $end {end})")
                with writer.block("loop $next"):
                    self._slot(writer, module, element, "at", 0, get("depth"))
                    writer.line(f"(local.set $at (i32.add {get('at')} {const(slot.size)}))")
                    writer.line(f"(br_if $next (i32.ne {get('at')} {get('end')}))")
                writer.line(const(1))
        return writer.lines

    def _record(self, name: str, module: str, ty: Record) -> list[str]:
        record = self._places.owner(module).records[ty.id]
        writer = Writer()
        with writer.block(f"func ${name} (param $ptr i32) (param $depth i32) (result i32)"):
            with writer.when(f"(i32.ge_u {get('depth')} {const(MAX_RECORD_DEPTH)})"):
                writer.line(f"(return {const(0)})")
            size = const(body_size(record), "i64")
            with writer.when(f"(i32.eqz (call {self.inside(module)} {get('ptr')} {size}))"):
                writer.line(f"(return {const(0)})")
            offset = 0
            deeper = f"(i32.add {get('depth')} {const(1)})"
            for item in record.fields:
                if not layout(item.type).code:
                    self._slot(writer, module, item.type, "ptr", offset, deeper)
                offset += layout(item.type).size
            writer.line(const(1))
        return writer.lines

    def _slot(self, writer: Writer, module: str, ty: IType, base: str, offset: int, depth: str) -> None:
        """Count and check the value whose slot is at `offset` from the local `base`."""
        memory = self._places.memory(module)
        ptr = f"(i32.load {memory} offset={offset} align=1 {get(base)})"
        length = f"(i32.load {memory} offset={offset + 4} align=1 {get(base)})"
        if isinstance(ty, Record):
            cost = const(PART + body_size(self._places.owner(module).records[ty.id]), "i64")
        else:
            each = const(layout(ty.element).size if isinstance(ty, Array) else 1, "i64")
            cost = f"(i64.add {const(PART, 'i64')} (i64.mul {each} (i64.extend_i32_u {length})))"
        # Counted first: a value whose parts are shared without end is not looked at without end.
        for passed in (f"(call $pay {cost})", self.call(module, ty, ptr, length, depth)):
            with writer.when(f"(i32.eqz {passed})"):
                writer.line(f"(return {const(0)})")

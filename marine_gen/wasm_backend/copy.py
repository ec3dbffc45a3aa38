"""Copies of values from one memory to another: the same allocations, in the same order, as lowering makes.

One function per type and pair of memories, shared by all adapters. Source values were checked, so a copy only has to
look at what the target's allocator gives. Flat data is one `memory.copy`; booleans are normalised to 0 and 1, as
lifting and lowering would.
"""

from __future__ import annotations

from marine_gen.passes.model import STAGING
from marine_gen.wasm_backend.imports import GlueImports, type_key
from marine_gen.wasm_backend.validate import Validators
from marine_gen.wasm_backend.writer import Writer, const, get
from marine_runtime.adapters import Fault
from marine_runtime.types import Array, IType, Prim, Record, Records, body_size, is_bytes, layout

_RUN = 32  # longer runs of flat fields are one memory.copy
_WORDS = (("i64", 8, "load", "store"), ("i32", 4, "load", "store"), ("i32", 2, "load16_u", "store16"))


class Copiers:
    """The copy functions of one glue module, by symbol; `blocks` are the memories that need an allocator."""

    def __init__(self, places: GlueImports, checks: Validators) -> None:
        self._places = places
        self._checks = checks
        self.functions: dict[str, list[str]] = {}

    def call(self, ty: IType, records: Records, source: str, target: str, ptr: str, length: str) -> str:
        """A call that copies a `ty` from `source` to `target` and gives its new address.

        `records` resolves the record ids in `ty`; they are those of a module, which gives functions their names.
        """
        name = self._of(ty, records, source, target)
        return f"(call ${name} {ptr}{'' if isinstance(ty, Record) else ' ' + length})"

    def write(self, source: str, target: str) -> str:
        """The function (block, ptr, size) that copies bytes from `source` to an allocated block in `target`."""
        name = f"write.{self._pair(source, target)}"
        if name not in self.functions:
            self.functions[name] = self._write(name, source, target)
        return f"${name}"

    def new_block(self, target: str) -> str:
        """The function (size: i64, tag: i32) -> i32 that allocates a block, not empty and inside the memory."""
        name = f"new.{self._places.symbol(target)}"
        if name not in self.functions:
            self.functions[name] = self._new_block(name, target)
        return f"${name}"

    def _pair(self, source: str, target: str) -> str:
        return f"{self._places.symbol(source)}.{self._places.symbol(target)}"

    def _of(self, ty: IType, records: Records, source: str, target: str) -> str:
        # Equal record ids of source and target module may mean different records: the owner is part of the name.
        owner = target if target != STAGING else source
        assert records is self._places.owner(owner).records
        name = f"copy.{self._pair(source, target)}.{type_key(ty)}"
        if name not in self.functions:
            self.functions[name] = []  # entered first: the type may contain itself
            if isinstance(ty, Record):
                code = self._record(name, ty, records, source, target)
            elif ty is Prim.STRING or is_bytes(ty):
                code = self._bytes(name, source, target)
            else:
                assert isinstance(ty, Array)
                code = self._array(name, ty, records, source, target)
            self.functions[name] = code
        return name

    # Blocks

    def _new_block(self, name: str, target: str) -> list[str]:
        writer = Writer()
        size, tag, ptr = get("size"), get("tag"), get("ptr")
        with writer.block(f"func ${name} (param $size i64) (param $tag i32) (result i32)"):
            writer.line("(local $ptr i32)")
            with writer.when(f"(i64.gt_u {size} {const(0xFFFFFFFF, 'i64')})"):
                self._fault(writer, Fault.TOO_LARGE, size)
            writer.line(f"(local.set $ptr {self._allocate(target, f'(i32.wrap_i64 {size})', tag)})")
            if target != STAGING:
                self._refuse_bad_block(writer, target, ptr, size)
            writer.line(ptr)
        return writer.lines

    def _allocate(self, target: str, size: str, tag: str) -> str:
        if target == STAGING:
            return f"(call $stage {size})"
        return f"(call {self._places.allocate(target)} {size} {tag})"

    def _refuse_bad_block(self, writer: Writer, target: str, ptr: str, size: str) -> None:
        """Fault unless `size` (i64, not 0) bytes at `ptr` were really allocated and are inside the memory."""
        with writer.when(f"(i32.eqz {ptr})"):
            self._fault(writer, Fault.ALLOCATE, size)
        with writer.when(f"(i32.eqz (call {self._checks.inside(target)} {ptr} {size}))"):
            bytes_now = f"(i64.shl (i64.extend_i32_u (memory.size {self._places.memory(target)})) {const(16, 'i64')})"
            self._fault(writer, Fault.BOUNDS, f"(i64.extend_i32_u {ptr})", size, bytes_now)

    @staticmethod
    def _fault(writer: Writer, kind: Fault, *numbers: str) -> None:
        padded = [*numbers, *[const(0, "i64")] * (3 - len(numbers))]
        writer.line(f"(call $fault {const(kind)} {' '.join(padded)})")

    def _write(self, name: str, source: str, target: str) -> list[str]:
        writer = Writer()
        block, size = get("block"), f"(i64.extend_i32_u {get('size')})"
        with writer.block(f"func ${name} (param $block i32) (param $ptr i32) (param $size i32)"):
            with writer.when(f"(i32.eqz {get('size')})"):
                writer.line("(return)")
            self._refuse_bad_block(writer, target, block, size)
            writer.line(self._move(source, target, block, get("ptr"), get("size")))
        return writer.lines

    def _move(self, source: str, target: str, to: str, ptr: str, size: str) -> str:
        return f"(memory.copy {self._places.memory(target)} {self._places.memory(source)} {to} {ptr} {size})"

    # Types

    def _bytes(self, name: str, source: str, target: str) -> list[str]:
        """Strings and byte arrays: an empty one allocates 0 bytes, as lowering does."""
        writer = Writer()
        with writer.block(f"func ${name} (param $ptr i32) (param $size i32) (result i32)"):
            writer.line("(local $block i32)")
            writer.line(f"(local.set $block {self._allocate(target, get('size'), const(1))})")
            if target == STAGING:
                # The pointer of what is empty means nothing, and memory.copy would look at it.
                with writer.when(get("size")):
                    writer.line(self._move(source, target, get("block"), get("ptr"), get("size")))
            else:
                writer.line(f"(call {self.write(source, target)} {get('block')} {get('ptr')} {get('size')})")
            writer.line(get("block"))
        return writer.lines

    def _array(self, name: str, ty: Array, records: Records, source: str, target: str) -> list[str]:
        """The outer block comes first; an empty array allocates nothing and has address 0."""
        element = ty.element
        slot = layout(element)
        writer = Writer()
        with writer.block(f"func ${name} (param $ptr i32) (param $count i32) (result i32)"):
            writer.line("(local $block i32) (local $to i32) (local $end i32)")
            with writer.when(f"(i32.eqz {get('count')})"):
                writer.line(f"(return {const(0)})")
            size64 = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(slot.size, 'i64')})"
            writer.line(f"(local.set $block (call {self.new_block(target)} {size64} {const(slot.tag)}))")
            size = f"(i32.mul {get('count')} {const(slot.size)})"
            if slot.code and element is not Prim.BOOLEAN:
                writer.line(self._move(source, target, get("block"), get("ptr"), size))
            else:
                writer.line(f"(local.set $to {get('block')})")
                writer.line(f"(local.set $end (i32.add {get('block')} {size}))")
                with writer.block("loop $next"):
                    self._slot(writer, element, records, source, target)
                    writer.line(f"(local.set $ptr (i32.add {get('ptr')} {const(slot.size)}))")
                    writer.line(f"(local.set $to (i32.add {get('to')} {const(slot.size)}))")
                    writer.line(f"(br_if $next (i32.ne {get('to')} {get('end')}))")
            writer.line(get("block"))
        return writer.lines

    def _slot(self, writer: Writer, element: IType, records: Records, source: str, target: str) -> None:
        """Copy the element whose slot is at `$ptr` to the slot at `$to`."""
        here, there = self._places.memory(source), self._places.memory(target)
        if element is Prim.BOOLEAN:
            truth = f"(i32.ne (i32.load8_u {here} {get('ptr')}) {const(0)})"
            writer.line(f"(i32.store8 {there} {get('to')} {truth})")
            return
        ptr = f"(i32.load {here} align=1 {get('ptr')})"
        length = f"(i32.load {here} offset=4 align=1 {get('ptr')})"
        copied = self.call(element, records, source, target, ptr, length)
        writer.line(f"(i32.store {there} align=1 {get('to')} {copied})")
        if not isinstance(element, Record):
            writer.line(f"(i32.store {there} offset=4 align=1 {get('to')} {length})")

    def _record(self, name: str, ty: Record, records: Records, source: str, target: str) -> list[str]:
        """What the fields refer to comes first, then the body."""
        record = records[ty.id]
        here, there = self._places.memory(source), self._places.memory(target)
        inner = [index for index, item in enumerate(record.fields) if not layout(item.type).code]
        writer = Writer()
        with writer.block(f"func ${name} (param $ptr i32) (result i32)"):
            writer.line(f"(local $block i32) {' '.join(f'(local $p{index} i32)' for index in inner)}".rstrip())
            offset = 0
            for index, item in enumerate(record.fields):
                if index in inner:
                    ptr = f"(i32.load {here} offset={offset} align=1 {get('ptr')})"
                    length = f"(i32.load {here} offset={offset + 4} align=1 {get('ptr')})"
                    copied = self.call(item.type, records, source, target, ptr, length)
                    writer.line(f"(local.set $p{index} {copied})")
                offset += layout(item.type).size
            writer.line(
                f"(local.set $block (call {self.new_block(target)} {const(body_size(record), 'i64')} {const(1)}))"
            )
            run_start = offset = 0
            for index, item in enumerate(record.fields):
                size = layout(item.type).size
                if index in inner or item.type is Prim.BOOLEAN:
                    self._run(writer, source, target, run_start, offset)
                    run_start = offset + size
                if index in inner:
                    writer.line(f"(i32.store {there} offset={offset} align=1 {get('block')} {get(f'p{index}')})")
                    if not isinstance(item.type, Record):
                        length = f"(i32.load {here} offset={offset + 4} align=1 {get('ptr')})"
                        writer.line(f"(i32.store {there} offset={offset + 4} align=1 {get('block')} {length})")
                elif item.type is Prim.BOOLEAN:
                    truth = f"(i32.ne (i32.load8_u {here} offset={offset} {get('ptr')}) {const(0)})"
                    writer.line(f"(i32.store8 {there} offset={offset} {get('block')} {truth})")
                offset += size
            self._run(writer, source, target, run_start, offset)
            writer.line(get("block"))
        return writer.lines

    def _run(self, writer: Writer, source: str, target: str, start: int, end: int) -> None:
        """Copy the flat bytes `start` to `end` of a record body."""
        here, there = self._places.memory(source), self._places.memory(target)
        if end - start > _RUN:
            to = f"(i32.add {get('block')} {const(start)})"
            ptr = f"(i32.add {get('ptr')} {const(start)})"
            writer.line(self._move(source, target, to, ptr, const(end - start)))
            return
        while start < end:
            for ty, size, load, store in (*_WORDS, ("i32", 1, "load8_u", "store8")):
                if end - start >= size:
                    value = f"({ty}.{load} {here} offset={start} align=1 {get('ptr')})"
                    writer.line(f"({ty}.{store} {there} offset={start} align=1 {get('block')} {value})")
                    start += size
                    break

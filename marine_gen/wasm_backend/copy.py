"""Copies of values from one memory to another: the same allocations, in the same order, as lowering makes.

One function per type and pair of memories, shared by all adapters. Source values were checked, so a copy only has to
look at what the target's allocator gives. Flat data is one `memory.copy`; booleans are normalised to 0 and 1, as
lifting and lowering would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.passes.model import STAGING
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_gen.wasm_backend.validate import Validators
from marine_runtime.abi import (
    BYTES_TAG,
    Bytes,
    Flat,
    Form,
    Kind,
    List,
    Shape,
    Struct,
    Text,
    layout_of,
    record_body,
    shape,
)
from marine_runtime.adapters import Fault
from marine_runtime.types import IType, Records

_RUN = 32  # longer runs of flat fields are one memory.copy
_WORDS = (("i64", 8, "load", "store"), ("i32", 4, "load", "store"), ("i32", 2, "load16_u", "store16"))


class Copiers:
    """The copy functions of one glue module. Asking for one requests it."""

    def __init__(self, imports: GlueImports, library: Library, validators: Validators) -> None:
        self._imports = imports
        self._library = library
        self._validators = validators

    def call(self, ty: IType, records: Records, source: str, target: str, ptr: str, length: str) -> str:
        """A call that copies a `ty` from `source` to `target` and returns its new address.

        `records` resolves the record ids in `ty`; they are those of a module, which gives functions their names.
        """
        name = self._of(ty, records, source, target)
        return f"(call {name} {ptr}{' ' + length if layout_of(ty).form is Form.PAIR else ''})"

    def write(self, source: str, target: str) -> str:
        """The function (block, ptr, size) that copies bytes from `source` to an allocated block in `target`."""
        name = f"write.{self._pair(source, target)}"
        return self._defined(name, lambda: self._write(name, source, target))

    def new_block(self, target: str) -> str:
        """The function (size: i64, tag: i32) -> i32 that allocates a block, not empty and inside the memory."""
        name = f"new.{self._imports.symbol(target)}"
        return self._defined(name, lambda: self._new_block(name, target))

    def _pair(self, source: str, target: str) -> str:
        return f"{self._imports.symbol(source)}.{self._imports.symbol(target)}"

    def _of(self, ty: IType, records: Records, source: str, target: str) -> str:
        # Equal record ids of source and target module may mean different records: the owner is part of the name.
        owner = target if target != STAGING else source
        assert records is self._imports.owner(owner).records
        name = f"copy.{self._pair(source, target)}.{type_key(ty)}"
        return self._defined(name, lambda: self._function(name, shape(ty), records, source, target))

    def _defined(self, name: str, write: Callable[[], list[str]]) -> str:
        """The symbol of a definition, with the sigil, entered before it is written: a type may contain itself."""
        definitions = self._library.definitions
        if name not in definitions:
            with definitions.definition(name) as made:
                made.lines = write()
        return f"${definitions.use(name)}"

    def _function(self, name: str, part: Shape, records: Records, source: str, target: str) -> list[str]:
        match part:
            case Text() | Bytes():
                return self._bytes(name, source, target)
            case List():
                return self._list(name, part, records, source, target)
            case Struct():
                return self._record(name, part, records, source, target)
            case Flat():
                raise AssertionError(f"a {part.prim} is not copied alone")
            case _:
                assert_never(part)

    # Blocks

    def _new_block(self, name: str, target: str) -> list[str]:
        writer = Writer(WAT, 1)
        size, tag, ptr = get("size"), get("tag"), get("ptr")
        with writer.block(f"func ${name} (param $size i64) (param $tag i32) (result i32)"):
            writer.line("(local $ptr i32)")
            with when(writer, f"(i64.gt_u {size} {const(0xFFFFFFFF, 'i64')})"):  # check: fused block of 4 GiB
                writer.line(self._library.fault(Fault.TOO_LARGE, size))
            writer.line(f"(local.set $ptr {self._allocate(target, f'(i32.wrap_i64 {size})', tag)})")
            if target != STAGING:
                self._refuse_bad_block(writer, target, ptr, size)
            writer.line(ptr)
        return writer.lines

    def _allocate(self, target: str, size: str, tag: str) -> str:
        if target == STAGING:
            return f"(call {self._library.symbol('stage')} {size})"
        return f"(call {self._imports.allocate(target)} {size} {tag})"

    def _refuse_bad_block(self, writer: Writer, target: str, ptr: str, size: str) -> None:
        """Fault unless `size` (i64, not 0) bytes at `ptr` were really allocated and are inside the memory."""
        with when(writer, f"(i32.eqz {ptr})"):  # check: fused failed allocation
            writer.line(self._library.fault(Fault.ALLOCATE, size))
        # check: fused block inside the memory
        with when(writer, f"(i32.eqz (call {self._validators.inside(target)} {ptr} {size}))"):
            bytes_now = f"(i64.shl (i64.extend_i32_u (memory.size {self._imports.memory(target)})) {const(16, 'i64')})"
            writer.line(self._library.fault(Fault.BOUNDS, f"(i64.extend_i32_u {ptr})", size, bytes_now))

    def _write(self, name: str, source: str, target: str) -> list[str]:
        writer = Writer(WAT, 1)
        block, size = get("block"), f"(i64.extend_i32_u {get('size')})"
        with writer.block(f"func ${name} (param $block i32) (param $ptr i32) (param $size i32)"):
            with when(writer, f"(i32.eqz {get('size')})"):  # check: fused empty bytes need no block
                writer.line("(return)")
            self._refuse_bad_block(writer, target, block, size)
            writer.line(self._move(source, target, block, get("ptr"), get("size")))
        return writer.lines

    def _move(self, source: str, target: str, to: str, ptr: str, size: str) -> str:
        return f"(memory.copy {self._imports.memory(target)} {self._imports.memory(source)} {to} {ptr} {size})"

    # Types

    def _bytes(self, name: str, source: str, target: str) -> list[str]:
        """Strings and byte arrays: an empty one allocates 0 bytes, as lowering does."""
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name} (param $ptr i32) (param $size i32) (result i32)"):
            writer.line("(local $block i32)")
            writer.line(f"(local.set $block {self._allocate(target, get('size'), const(BYTES_TAG))})")
            if target == STAGING:
                # The pointer of what is empty means nothing, and memory.copy would look at it.
                with when(writer, get("size")):
                    writer.line(self._move(source, target, get("block"), get("ptr"), get("size")))
            else:
                writer.line(f"(call {self.write(source, target)} {get('block')} {get('ptr')} {get('size')})")
            writer.line(get("block"))
        return writer.lines

    def _list(self, name: str, part: List, records: Records, source: str, target: str) -> list[str]:
        """The outer block comes first; an empty array allocates nothing and has address 0."""
        slot = part.element.layout
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name} (param $ptr i32) (param $count i32) (result i32)"):
            writer.line("(local $block i32) (local $to i32) (local $end i32)")
            with when(writer, f"(i32.eqz {get('count')})"):
                writer.line(f"(return {const(0)})")
            size64 = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(slot.size, 'i64')})"
            writer.line(f"(local.set $block (call {self.new_block(target)} {size64} {const(slot.tag)}))")
            size = f"(i32.mul {get('count')} {const(slot.size)})"
            if _moves_as_bytes(part.element):
                writer.line(self._move(source, target, get("block"), get("ptr"), size))
            else:
                writer.line(f"(local.set $to {get('block')})")
                writer.line(f"(local.set $end (i32.add {get('block')} {size}))")
                with writer.block("loop $next"):
                    self._slot(writer, part.element, records, source, target)
                    writer.line(f"(local.set $ptr (i32.add {get('ptr')} {const(slot.size)}))")
                    writer.line(f"(local.set $to (i32.add {get('to')} {const(slot.size)}))")
                    writer.line(f"(br_if $next (i32.ne {get('to')} {get('end')}))")
            writer.line(get("block"))
        return writer.lines

    def _slot(self, writer: Writer, element: Shape, records: Records, source: str, target: str) -> None:
        """Copy the element whose slot is at `$ptr` to the slot at `$to`."""
        if isinstance(element, Flat):
            self._truth(writer, source, target, "to", None)
            return
        here, there = self._imports.memory(source), self._imports.memory(target)
        ptr = f"(i32.load {here} align=1 {get('ptr')})"
        length = f"(i32.load {here} offset=4 align=1 {get('ptr')})"
        copied = self.call(element.type, records, source, target, ptr, length)
        writer.line(f"(i32.store {there} align=1 {get('to')} {copied})")
        if element.layout.form is Form.PAIR:
            writer.line(f"(i32.store {there} offset=4 align=1 {get('to')} {length})")

    def _truth(self, writer: Writer, source: str, target: str, to: str, offset: int | None) -> None:
        """Copy the boolean at `$ptr` to the local `to`, as 0 or 1."""
        here, there = self._imports.memory(source), self._imports.memory(target)
        at = "" if offset is None else f" offset={offset}"
        truth = f"(i32.ne (i32.load8_u {here}{at} {get('ptr')}) {const(0)})"
        writer.line(f"(i32.store8 {there}{at} {get(to)} {truth})")

    def _record(self, name: str, part: Struct, records: Records, source: str, target: str) -> list[str]:
        """Out-of-line fields are copied first, then the body."""
        body = record_body(records[part.id])
        here, there = self._imports.memory(source), self._imports.memory(target)
        inner = [(index, cell) for index, cell in enumerate(body.cells) if not isinstance(cell.shape, Flat)]
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name} (param $ptr i32) (result i32)"):
            writer.line(f"(local $block i32) {' '.join(f'(local $p{index} i32)' for index, _ in inner)}".rstrip())
            for index, cell in inner:
                ptr = f"(i32.load {here} offset={cell.offset} align=1 {get('ptr')})"
                length = f"(i32.load {here} offset={cell.offset + 4} align=1 {get('ptr')})"
                copied = self.call(cell.type, records, source, target, ptr, length)
                writer.line(f"(local.set $p{index} {copied})")
            size = const(body.size, "i64")
            writer.line(f"(local.set $block (call {self.new_block(target)} {size} {const(BYTES_TAG)}))")
            run_start = 0
            for index, cell in enumerate(body.cells):
                if _moves_as_bytes(cell.shape):
                    continue
                offset, slot = cell.offset, cell.shape.layout
                self._run(writer, source, target, run_start, offset)
                run_start = offset + slot.size
                if isinstance(cell.shape, Flat):
                    self._truth(writer, source, target, "block", offset)
                    continue
                writer.line(f"(i32.store {there} offset={offset} align=1 {get('block')} {get(f'p{index}')})")
                if slot.form is Form.PAIR:
                    length = f"(i32.load {here} offset={offset + 4} align=1 {get('ptr')})"
                    writer.line(f"(i32.store {there} offset={offset + 4} align=1 {get('block')} {length})")
            self._run(writer, source, target, run_start, body.size)
            writer.line(get("block"))
        return writer.lines

    def _run(self, writer: Writer, source: str, target: str, start: int, end: int) -> None:
        """Copy the flat bytes `start` to `end` of a record body."""
        here, there = self._imports.memory(source), self._imports.memory(target)
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


def _moves_as_bytes(slot: Shape) -> bool:
    """True if a slot is copied as it is. Booleans are not: any byte but 0 becomes 1."""
    if not isinstance(slot, Flat):
        return False
    match slot.kind:
        case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return True
        case Kind.BOOLEAN:
            return False
        case _:
            assert_never(slot.kind)

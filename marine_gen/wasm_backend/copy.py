"""Copies of values from one memory to another: the same allocations, in the same order, as lowering makes.

A copy is written in place as long as the function that it belongs to has room, and is a call of the shared function of
its type and pair of memories from there on. Source values were checked, so a copy only has to look at what the target's
allocator gives. Flat data moves as it is; booleans are normalised to 0 and 1, as lifting and lowering would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.passes.model import STAGING
from marine_gen.wasm_backend.code import FunctionCode, is_walked
from marine_gen.wasm_backend.expressions import bytes_of, const, get, outside, when
from marine_gen.wasm_backend.guests import Guests
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_gen.wasm_backend.room import room_in_staging, staged
from marine_gen.wasm_backend.words import move_function, move_in_words
from marine_runtime.abi import (
    BYTES_TAG,
    Body,
    Bytes,
    Flat,
    Form,
    Kind,
    List,
    OutOfLine,
    Shape,
    Struct,
    Text,
    record_body,
    shape,
)
from marine_runtime.adapters import Fault
from marine_runtime.types import IType, Records

_RUN = 32  # longer runs of flat fields are one memory.copy
_WORDS = (("i64", 8, "load", "store"), ("i32", 4, "load", "store"), ("i32", 2, "load16_u", "store16"))


@dataclass(frozen=True, slots=True)
class _Way:
    """From where to where one copy goes.

    Attributes:
        code: the writer of its text.
        records: the records of its type by id.
        source: the module whose memory is read, or `STAGING`.
        target: the module whose memory is written, or `STAGING`.
    """

    code: FunctionCode
    records: Records
    source: str
    target: str


class Copiers:
    """The copy functions of one glue module. Asking for one requests it."""

    def __init__(self, imports: GlueImports, library: Library, guests: Guests) -> None:
        self._imports = imports
        self._guests = guests
        self._library = library

    def emit(
        self, code: FunctionCode, ty: IType, records: Records, source: str, target: str, ptr: str, length: str
    ) -> str:
        """Copy a `ty` from `source` to `target`; the expression for its new address.

        `records` resolves the record ids in `ty`; they are those of a module, which gives functions their names.
        `ptr` and `length` are read more than once.
        """
        part = shape(ty)
        assert not isinstance(part, Flat), "what is flat is not copied alone"
        return self._part(_Way(code, records, source, target), part, ptr, length)

    def call(self, ty: IType, records: Records, source: str, target: str, ptr: str, length: str) -> str:
        """A call that copies a `ty` from `source` to `target` and returns its new address."""
        name = self._of(ty, records, source, target)
        return f"(call {name} {ptr}{' ' + length if shape(ty).layout.form is Form.PAIR else ''})"

    def write(self, code: FunctionCode, source: str, target: str, block: str, ptr: str, size: str) -> None:
        """Copy bytes from `source` to an allocated block in `target`."""
        if not code.room:
            name = f"write.{self._pair(source, target)}"
            code.line(f"(call {self._defined(name, lambda: self._write(name, source, target))} {block} {ptr} {size})")
            return
        code.spend()
        self._fill(code, source, target, block, ptr, size)

    def new_block(self, target: str) -> str:
        """The function (size: i64, tag: i32) -> i32 that allocates a block, not empty and inside the memory."""
        name = f"new.{self._imports.symbol(target)}"
        return self._defined(name, lambda: self._new_block(name, target))

    def move(self, source: str, target: str, to: str, ptr: str, size: str) -> str:
        """The statement that copies bytes which both memories have; `size` is not 0."""
        here, there = self._imports.memory(source), self._imports.memory(target)
        if source == target:  # where a guest's allocator gives what is in use, the ranges may overlap
            return f"(memory.copy {there} {here} {to} {ptr} {size})"
        name = f"move.{self._pair(source, target)}"
        return f"(call {self._defined(name, lambda: move_function(name, there, here))} {to} {ptr} {size})"

    def _fill(self, code: FunctionCode, source: str, target: str, block: str, ptr: str, size: str) -> None:
        """Copy bytes to a block, which is looked at first; the pointer of what is empty means nothing."""
        with when(code, size):  # check: fused empty bytes need no block
            if target != STAGING:
                self._refuse_bad_block(code, target, block, f"(i64.extend_i32_u {size})")
            self._short_move(code, source, target, block, ptr, size)

    def _short_move(self, code: FunctionCode, source: str, target: str, to: str, ptr: str, size: str) -> None:
        """The same where most values are short."""
        if source == target:
            code.line(self.move(source, target, to, ptr, size))
            return
        with move_in_words(code, self._imports.memory(target), self._imports.memory(source), to, ptr, size):
            code.line(self.move(source, target, to, ptr, size))

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
        assert not isinstance(part, Flat), "what is flat is not copied alone"
        way = _Way(FunctionCode(), records, source, target)
        if isinstance(part, List) and is_walked(part):
            block = self._list(way, part)
        else:
            block = self._in_place(way, part, get("ptr"), get("count"))
        way.code.line(block)
        count = " (param $count i32)" if part.layout.form is Form.PAIR else ""
        return way.code.function(name, f" (param $ptr i32){count} (result i32)")

    # Blocks

    def _new_block(self, name: str, target: str) -> list[str]:
        code = FunctionCode()
        size, tag = get("size"), get("tag")
        with when(code, f"(i64.gt_u {size} {const(0xFFFFFFFF, 'i64')})"):  # check: fused block of 4 GiB
            code.line(self._library.fault(Fault.TOO_LARGE, size))
        block = self._block(code, target, f"(i32.wrap_i64 {size})", size, tag)
        code.line(block)
        return code.function(name, " (param $size i64) (param $tag i32) (result i32)")

    def _block(self, code: FunctionCode, target: str, size: str, size64: str, tag: str) -> str:
        """Allocate a block that is not empty; the expression for its address."""
        block = self._allocate(code, target, size, tag)
        if target != STAGING:
            self._refuse_bad_block(code, target, block, size64)
        return block

    def _allocate(self, code: FunctionCode, target: str, size: str, tag: str) -> str:
        if target != STAGING:
            return self._guests.allocate(code, target, size, tag)
        if self._in_component_staging(code, target):
            return room_in_staging(code, self._library, staged(size))
        return code.keep("block", f"(call {self._library.symbol('stage')} (i64.extend_i32_u {size}))")

    def _in_component_staging(self, code: FunctionCode, target: str) -> bool:
        """True if room is taken without a call."""
        return target == STAGING and self._library.caller.in_component and code.room > 0

    def _refuse_bad_block(self, code: FunctionCode, target: str, ptr: str, size: str) -> None:
        """Fault unless `size` (i64, not 0) bytes at `ptr` were really allocated and are inside the memory."""
        name = f"refuse.{self._imports.symbol(target)}"
        refuse = self._defined(name, lambda: self._refuse(name, target))
        beyond = outside(ptr, size, bytes_of(self._imports.memory(target)))
        # check: fused allocated blocks
        with when(code, f"(i32.or (i32.eqz {ptr}) {beyond})"):
            code.line(f"(call {refuse} {ptr} {size})")

    def _refuse(self, name: str, target: str) -> list[str]:
        """The function (ptr, size: i64) that reports a block which is none."""
        code = FunctionCode()
        with when(code, f"(i32.eqz {get('ptr')})"):
            code.line(self._library.fault(Fault.ALLOCATE, get("size")))
        bytes_now = bytes_of(self._imports.memory(target))
        code.line(self._library.fault(Fault.BOUNDS, f"(i64.extend_i32_u {get('ptr')})", get("size"), bytes_now))
        return code.function(name, " (param $ptr i32) (param $size i64)")

    def _write(self, name: str, source: str, target: str) -> list[str]:
        code = FunctionCode()
        self.write(code, source, target, get("block"), get("ptr"), get("size"))
        return code.function(name, " (param $block i32) (param $ptr i32) (param $size i32)")

    # Types

    def _part(self, way: _Way, part: OutOfLine, ptr: str, length: str) -> str:
        """A value in place or by a call."""
        if is_walked(part) or not way.code.takes(part, way.records):
            called = self.call(part.type, way.records, way.source, way.target, ptr, length)
            return way.code.keep("copy", called)
        way.code.spend()
        return self._in_place(way, part, ptr, length)

    def _in_place(self, way: _Way, part: OutOfLine, ptr: str, length: str) -> str:
        match part:
            case Text() | Bytes():
                return self._bytes(way, ptr, length)
            case List():
                return self._flat_list(way, part, ptr, length)
            case Struct():
                return self._record(way, part, ptr)
            case _:
                assert_never(part)

    def _bytes(self, way: _Way, ptr: str, size: str) -> str:
        """Strings and byte arrays: an empty one allocates 0 bytes, as lowering does."""
        block = self._allocate(way.code, way.target, size, const(BYTES_TAG))
        self._fill(way.code, way.source, way.target, block, ptr, size)
        return block

    def _sized(self, way: _Way, part: List, count: str) -> tuple[str, str]:
        """Allocate the block of an array that is not empty; expressions for its address and its size in bytes."""
        slot = part.element.layout
        size64 = f"(i64.mul (i64.extend_i32_u {count}) {const(slot.size, 'i64')})"
        block = way.code.keep("block", f"(call {self.new_block(way.target)} {size64} {const(slot.tag)})")
        return block, f"(i32.mul {count} {const(slot.size)})"

    def _flat_list(self, way: _Way, part: List, ptr: str, count: str) -> str:
        """Arrays of what is flat. An empty array allocates nothing and has address 0."""
        code, element = way.code, part.element
        made = code.local("made")
        assert isinstance(element, Flat)
        code.line(f"(local.set ${made} {const(0)})")
        with when(code, count):
            block, size = self._sized(way, part, count)
            code.line(f"(local.set ${made} {block})")
            if _moves_as_bytes(element):
                code.line(self.move(way.source, way.target, block, ptr, size))
            else:
                at, to = code.local("at"), code.local("to")
                code.line(f"(local.set ${at} {ptr})")
                code.line(f"(local.set ${to} {block})")
                end = code.keep("end", f"(i32.add {block} {size})")
                self._loop(way, part, at, to, end, lambda: self._truth(way, get(at), get(to), 0))
        return get(made)

    def _list(self, way: _Way, part: List) -> str:
        """Other arrays, in a function of their own. The outer block comes first."""
        code = way.code
        ptr, count = get("ptr"), get("count")
        with when(code, f"(i32.eqz {count})"):
            code.line(f"(return {const(0)})")
        block, size = self._sized(way, part, count)
        to = code.local("to")
        code.line(f"(local.set ${to} {block})")
        end = code.keep("end", f"(i32.add {block} {size})")
        self._loop(way, part, "ptr", to, end, lambda: self._slot(way, part.element, ptr, get(to)))
        return block

    def _loop(self, way: _Way, part: List, at: str, to: str, end: str, copy_slot: Callable[[], None]) -> None:
        """Copy slot by slot from the address in the local `at` to that in `to`, until it is `end`."""
        code, size = way.code, const(part.element.layout.size)
        again = code.label("next")
        with code.block(f"loop {again}"):
            copy_slot()
            code.line(f"(local.set ${at} (i32.add {get(at)} {size}))")
            code.line(f"(local.set ${to} (i32.add {get(to)} {size}))")
            code.line(f"(br_if {again} (i32.ne {get(to)} {end}))")

    def _loaded(self, way: _Way, part: Shape, base: str, offset: int) -> tuple[str, str]:
        """Pointer and length, where there is one, of what has its slot at `offset` from `base`."""
        here = self._imports.memory(way.source)
        ptr = way.code.keep("ptr", f"(i32.load {here} offset={offset} align=1 {base})")
        if part.layout.form is not Form.PAIR:
            return ptr, ""
        return ptr, way.code.keep("len", f"(i32.load {here} offset={offset + 4} align=1 {base})")

    def _store(self, way: _Way, to: str, offset: int, copied: str, length: str) -> None:
        there = self._imports.memory(way.target)
        way.code.line(f"(i32.store {there} offset={offset} align=1 {to} {copied})")
        if length:
            way.code.line(f"(i32.store {there} offset={offset + 4} align=1 {to} {length})")

    def _slot(self, way: _Way, element: Shape, at: str, to: str) -> None:
        """Copy the element whose slot is at `at` to the slot at `to`."""
        assert not isinstance(element, Flat)
        ptr, length = self._loaded(way, element, at, 0)
        self._store(way, to, 0, self._part(way, element, ptr, length), length)

    def _truth(self, way: _Way, at: str, to: str, offset: int) -> None:
        """Copy the boolean at `at` to `to`, as 0 or 1."""
        here, there = self._imports.memory(way.source), self._imports.memory(way.target)
        where = f" offset={offset}" if offset else ""
        truth = f"(i32.ne (i32.load8_u {here}{where} {at}) {const(0)})"
        way.code.line(f"(i32.store8 {there}{where} {to} {truth})")

    def _record(self, way: _Way, part: Struct, ptr: str) -> str:
        """Out-of-line fields are copied first, then the body."""
        if self._in_component_staging(way.code, way.target) and way.code.takes(part, way.records):
            return self._record_in_room(way, part, ptr)
        body = record_body(way.records[part.id])
        copied: dict[int, tuple[str, str]] = {}
        for cell in body.cells:
            if not isinstance(cell.shape, Flat):
                inner, length = self._loaded(way, cell.shape, ptr, cell.offset)
                copied[cell.offset] = self._part(way, cell.shape, inner, length), length
        block = self._block(way.code, way.target, const(body.size), const(body.size, "i64"), const(BYTES_TAG))
        self._body(way, body, block, ptr, copied)
        return block

    def _record_in_room(self, way: _Way, part: Struct, ptr: str) -> str:
        """The same where blocks are free: the body and the bytes of its fields get their room together."""
        body = record_body(way.records[part.id])
        loaded = {
            cell.offset: self._loaded(way, cell.shape, ptr, cell.offset)
            for cell in body.cells
            if not isinstance(cell.shape, Flat)
        }
        texts = {cell.offset: loaded[cell.offset][1] for cell in body.cells if isinstance(cell.shape, Text | Bytes)}
        behind = (body.size + 7) & -8
        total = const(behind, "i64")
        for length in texts.values():
            total = f"(i64.add {total} {staged(length)})"
        block = room_in_staging(way.code, self._library, total)
        at, copied = f"(i32.add {block} {const(behind)})", {}
        for cell in body.cells:
            if isinstance(cell.shape, Flat):
                continue
            inner, length = loaded[cell.offset]
            if cell.offset in texts:
                way.code.spend()
                to = way.code.keep("text", at)
                self._fill(way.code, way.source, way.target, to, inner, length)
                copied[cell.offset] = to, length
                at = f"(i32.add {to} (i32.and (i32.add {length} {const(7)}) {const(-8)}))"
            else:
                copied[cell.offset] = self._part(way, cell.shape, inner, length), length
        self._body(way, body, block, ptr, copied)
        return block

    def _body(self, way: _Way, body: Body, block: str, ptr: str, copied: Mapping[int, tuple[str, str]]) -> None:
        """Write the body of a record; `copied` are the fields that lie elsewhere, by offset."""
        run_start = 0
        for cell in body.cells:
            if _moves_as_bytes(cell.shape):
                continue
            self._run(way, block, ptr, run_start, cell.offset)
            run_start = cell.offset + cell.shape.layout.size
            if isinstance(cell.shape, Flat):
                self._truth(way, ptr, block, cell.offset)
            else:
                self._store(way, block, cell.offset, *copied[cell.offset])
        self._run(way, block, ptr, run_start, body.size)

    def _run(self, way: _Way, block: str, ptr: str, start: int, end: int) -> None:
        """Copy the flat bytes `start` to `end` of a record body."""
        here, there = self._imports.memory(way.source), self._imports.memory(way.target)
        if end - start > _RUN:
            at = f"(i32.add {block} {const(start)}) (i32.add {ptr} {const(start)})"
            way.code.line(f"(memory.copy {there} {here} {at} {const(end - start)})")
            return
        while start < end:
            for ty, size, load, store in (*_WORDS, ("i32", 1, "load8_u", "store8")):
                if end - start >= size:
                    value = f"({ty}.{load} {here} offset={start} align=1 {ptr})"
                    way.code.line(f"({ty}.{store} {there} offset={start} align=1 {block} {value})")
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

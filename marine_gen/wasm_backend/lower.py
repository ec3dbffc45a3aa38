"""Packed values from staging are lowered into guests: the same allocations, in the same order, as lowering makes."""

from __future__ import annotations

from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.passes.model import STAGING
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.packed import MOVES, STAGED, Walk, advance, scaled
from marine_runtime.abi import (
    BYTES_TAG,
    Bytes,
    Flat,
    Form,
    List,
    Packing,
    Place,
    Struct,
    Text,
    packing,
    record_body,
)
from marine_runtime.types import IType, Records


class Lowerers(Walk):
    """Functions that lower packed values into guests. Asking for one requests it."""

    def call(self, ty: IType, records: Records, target: str, at: str) -> str:
        """A call that lowers the packed `ty` at `at`: a pointer, and a count unless it is a record."""
        packed = packing(ty, records)
        assert packed is not None
        name = f"lower.{self._imports.symbol(target)}.{type_key(ty)}"
        return f"(call {self._defined(name, lambda: self._root(name, packed, records, target))} {at})"

    def _root(self, name: str, packed: Packing, records: Records, target: str) -> list[str]:
        results = _results(packed.root)
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name} (param $at i32){results}"):
            writer.line(f"(global.set {self._row} {get('at')})")
            end = f"(i32.add {get('at')} {const(packed.size)})"
            for number in range(len(packed.columns)):
                cursor = self._cursor(number)
                writer.line(f"(global.set {cursor} {end})")
                extent = f"(i32.load {STAGED} offset={packed.extents + 4 * number} align=1 {get('at')})"
                end = f"(i32.add (global.get {cursor}) {extent})"
            for position, number in enumerate(packed.separated):
                load = f"(i32.load {STAGED} offset={packed.separators + 4 * position} align=1 {get('at')})"
                writer.line(f"(global.set {self._separator(number)} {load})")
            if packed.texts:
                writer.line(f"(global.set {self._text} {end})")
            writer.line(f"(call {self._place(name, packed.root, records, target)})")
        return writer.lines

    def _place(self, root: str, place: Place, records: Records, target: str) -> str:
        """The function that lowers the next value of a place that is not flat."""
        name = f"{root}.{place.number}"
        part = place.shape
        match part:
            case Text() | Bytes():
                return self._defined(name, lambda: self._bytes(name, place, records, target))
            case List():
                return self._defined(name, lambda: self._list(root, place, part, records, target))
            case Struct():
                return self._defined(name, lambda: self._record(root, place, part, records, target))
            case Flat():
                raise AssertionError(f"a {part.prim} is not lowered alone")
            case _:
                assert_never(part)

    def _count(self, writer: Writer, place: Place) -> None:
        """Set `$count` to the length or count of the next value."""
        if place.in_row:
            writer.line(
                f"(local.set $count (i32.load {STAGED} offset={place.offset} align=1 (global.get {self._row})))"
            )
            return
        cursor = self._cursor(place.counts)
        writer.line(f"(local.set $count (i32.load {STAGED} align=1 (global.get {cursor})))")
        writer.line(advance(cursor, const(4)))

    def _bytes(self, name: str, place: Place, records: Records, target: str) -> list[str]:
        cursor = self._content(place)
        separated = isinstance(place.shape, Text) and not place.in_row
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name} (result i32 i32)"):
            writer.line("(local $count i32)")
            if separated:
                until = self._library.symbol("until")
                ends = f"(call {until} (global.get {cursor}) (global.get {self._separator(place.content)}))"
                writer.line(f"(local.set $count {ends})")
            else:
                self._count(writer, place)
            ty = place.shape.type
            start = f"(global.get {cursor})"
            writer.line(self._copiers.call(ty, self._records(target), STAGING, target, start, get("count")))
            after = f"(i32.add {get('count')} {const(1)})" if separated else get("count")
            writer.line(advance(cursor, after))
            writer.line(get("count"))
        return writer.lines

    def _records(self, target: str) -> Records:
        return self._imports.owner(target).records

    def _list(self, root: str, place: Place, part: List, records: Records, target: str) -> list[str]:
        """The outer block comes first; an empty array allocates nothing and has address 0."""
        (inner,) = place.parts
        slot = part.element.layout
        memory = self._imports.memory(target)
        writer = Writer(WAT, 1)
        with writer.block(f"func ${root}.{place.number} (result i32 i32)"):
            writer.line("(local $count i32) (local $block i32) (local $to i32) (local $end i32)")
            writer.line("(local $at i32) (local $length i32)")
            self._count(writer, place)
            with when(writer, f"(i32.eqz {get('count')})"):
                writer.line(f"(return {const(0)} {const(0)})")
            size64 = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(slot.size, 'i64')})"
            writer.line(f"(local.set $block (call {self._copiers.new_block(target)} {size64} {const(slot.tag)}))")
            size = scaled(get("count"), slot.size)
            if isinstance(inner.shape, Flat):
                cursor = self._cursor(inner.content)
                writer.line(self._copiers.move(STAGING, target, get("block"), f"(global.get {cursor})", size))
                writer.line(advance(cursor, size))
            else:
                lowered = f"(call {self._place(root, inner, records, target)})"
                writer.line(f"(local.set $to {get('block')})")
                writer.line(f"(local.set $end (i32.add {get('block')} {size}))")
                with writer.block("loop $next"):
                    if slot.form is Form.PAIR:
                        writer.line(lowered)
                        writer.line("(local.set $length)")
                        writer.line("(local.set $at)")
                        writer.line(f"(i32.store {memory} align=1 {get('to')} {get('at')})")
                        writer.line(f"(i32.store {memory} offset=4 align=1 {get('to')} {get('length')})")
                    else:
                        writer.line(f"(i32.store {memory} align=1 {get('to')} {lowered})")
                    writer.line(f"(local.set $to (i32.add {get('to')} {const(slot.size)}))")
                    writer.line(f"(br_if $next (i32.ne {get('to')} {get('end')}))")
            writer.line(f"{get('block')} {get('count')}")
        return writer.lines

    def _record(self, root: str, place: Place, part: Struct, records: Records, target: str) -> list[str]:
        """Out-of-line fields come first, then the body."""
        body = record_body(records[part.id])
        memory = self._imports.memory(target)
        writer = Writer(WAT, 1)
        with writer.block(f"func ${root}.{place.number} (result i32)"):
            fields = list(zip(place.parts, body.cells, strict=True))
            outer = [inner for inner, _ in fields if not isinstance(inner.shape, Flat)]
            declared = "".join(f" (local $p{inner.number} i32) (local $n{inner.number} i32)" for inner in outer)
            writer.line(f"(local $block i32){declared}")
            for inner in outer:
                writer.line(f"(call {self._place(root, inner, records, target)})")
                if inner.shape.layout.form is Form.PAIR:
                    writer.line(f"(local.set $n{inner.number})")
                writer.line(f"(local.set $p{inner.number})")
            new = f"(call {self._copiers.new_block(target)} {const(body.size, 'i64')} {const(BYTES_TAG)})"
            writer.line(f"(local.set $block {new})")
            for inner, cell in fields:
                if isinstance(inner.shape, Flat):
                    self._flat(writer, inner, memory, cell.offset)
                    continue
                writer.line(
                    f"(i32.store {memory} offset={cell.offset} align=1 {get('block')} {get(f'p{inner.number}')})"
                )
                if inner.shape.layout.form is Form.PAIR:
                    where = f"offset={cell.offset + 4} align=1 {get('block')}"
                    writer.line(f"(i32.store {memory} {where} {get(f'n{inner.number}')})")
            writer.line(get("block"))
        return writer.lines

    def _flat(self, writer: Writer, place: Place, memory: str, offset: int) -> None:
        size = place.shape.layout.size
        ty, load, store = MOVES[size]
        where = f"offset={place.offset} align=1 (global.get {self._row})"
        if not place.in_row:
            where = f"align=1 (global.get {self._cursor(place.content)})"
        writer.line(f"({ty}.{store} {memory} offset={offset} align=1 {get('block')} ({ty}.{load} {STAGED} {where}))")
        if not place.in_row:
            writer.line(advance(self._cursor(place.content), const(size)))


def _results(place: Place) -> str:
    """The results of what lowers a place."""
    return " (result i32)" if isinstance(place.shape, Struct) else " (result i32 i32)"

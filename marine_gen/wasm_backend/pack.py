"""Values of guests are packed into staging.

What is packed was checked where it lies. It is walked twice: the first walk measures the columns, then the block is
allocated in staging and written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.passes.model import STAGING
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.packed import MOVES, STAGED, Walk, advance, scaled
from marine_runtime.abi import (
    NO_TEXT,
    Bytes,
    Flat,
    Kind,
    List,
    Packing,
    Place,
    Struct,
    Text,
    packing,
    record_body,
)
from marine_runtime.types import IType, Records


class Packers(Walk):
    """Functions that pack values of guests into staging. Asking for one requests it."""

    def call(self, ty: IType, records: Records, source: str, ptr: str, length: str) -> str:
        """A call that packs the `ty` at `ptr`, with `length` unless it is a record; the address of the block."""
        packed = packing(ty, records)
        assert packed is not None
        name = f"pack.{self._imports.symbol(source)}.{type_key(ty)}"
        count = "" if isinstance(packed.root.shape, Struct) else f" {length}"
        return f"(call {self._defined(name, lambda: self._root(name, packed, records, source))} {ptr}{count})"

    def _extent(self, column: int) -> str:
        """The bytes that a column will take; more than a memory has, where parts overlap."""
        return self._global(f"extent.{column}", "i64")

    @property
    def _length(self) -> str:
        """The bytes that the text of the row will take."""
        return self._global("length", "i64")

    def _root(self, name: str, packed: Packing, records: Records, source: str) -> list[str]:
        params, arguments = _signature(packed.root)
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name}{params} (result i32)"):
            writer.line("(local $block i32)")
            parts = [self._extent(number) for number in range(len(packed.columns))]
            parts += [self._length] if packed.texts else []
            for part in parts:
                writer.line(f"(global.set {part} {const(0, 'i64')})")
            for number in packed.separated:
                writer.line(f"(global.set {self._separator(number)} {const(0)})")
            if measure := self._measure(name, packed.root, records, source):
                writer.line(f"(call {measure}{arguments})")
            total = const(packed.size, "i64")
            for part in parts:
                total = f"(i64.add {total} (global.get {part}))"
            writer.line(f"(local.set $block (call {self._library.symbol('stage')} {total}))")
            writer.line(f"(global.set {self._row} {get('block')})")
            end = f"(i32.add {get('block')} {const(packed.size)})"
            for number in range(len(packed.columns)):
                extent = f"(i32.wrap_i64 (global.get {self._extent(number)}))"
                at = f"offset={packed.extents + 4 * number} align=1 {get('block')}"
                writer.line(f"(i32.store {STAGED} {at} {extent})")
                writer.line(f"(global.set {self._cursor(number)} {end})")
                end = f"(i32.add (global.get {self._cursor(number)}) {extent})"
            for position, number in enumerate(packed.separated):
                at = f"offset={packed.separators + 4 * position} align=1 {get('block')}"
                writer.line(f"(i32.store {STAGED} {at} (global.get {self._separator(number)}))")
            if packed.texts:
                writer.line(f"(global.set {self._text} {end})")
            writer.line(f"(call {self._write(name, packed.root, records, source)}{arguments})")
            writer.line(get("block"))
        return writer.lines

    # Measuring

    def _measure(self, root: str, place: Place, records: Records, source: str) -> str:
        """The function that adds to the extents what the value of a place takes; empty when that is nothing."""
        name = f"{root}.size.{place.number}"
        if f"{name}" in self._library.definitions:
            return f"${self._library.definitions.use(name)}"
        lines = list(self._measured(root, place, records, source))
        if not lines:
            return ""

        def write() -> list[str]:
            writer = Writer(WAT, 1)
            with writer.block(f"func ${name}{_signature(place)[0]}"):
                if not isinstance(place.shape, Struct):
                    writer.line("(local $end i32)")
                for line in self._measured(root, place, records, source):
                    writer.line(line)
            return writer.lines

        return self._defined(name, write)

    def _grow(self, extent: str, by: str) -> str:
        return f"(global.set {extent} (i64.add (global.get {extent}) {by}))"

    def _measured(self, root: str, place: Place, records: Records, source: str) -> Iterator[str]:
        memory = self._imports.memory(source)
        part = place.shape
        count64 = f"(i64.extend_i32_u {get('count')})"
        match part:
            case Text() | Bytes():
                if place.in_row:
                    yield self._grow(self._length, count64)
                    return
                if isinstance(part, Bytes):
                    yield self._grow(self._extent(place.content), count64)
                    return
                yield self._grow(self._extent(place.content), f"(i64.add {count64} {const(1, 'i64')})")
                holds = self._library.symbol("nul", self._imports.symbol(source))
                mark = f"(global.set {self._separator(place.content)} {const(NO_TEXT)})"
                yield f"(if (call {holds} {get('ptr')} {get('count')}) (then {mark}))"
            case List():
                (inner,) = place.parts
                size = part.element.layout.size
                for column, each in _fixed(inner):
                    yield self._grow(self._extent(column), f"(i64.mul {count64} {const(each, 'i64')})")
                measure = "" if isinstance(inner.shape, Flat) else self._measure(root, inner, records, source)
                if measure:
                    yield f"(if (i32.eqz {get('count')}) (then (return)))"
                    yield f"(local.set $end (i32.add {get('ptr')} {scaled(get('count'), size)}))"
                    yield "(loop $next"
                    yield f"  (call {measure}{_loaded(inner, memory, 0)})"
                    yield f"  (local.set $ptr (i32.add {get('ptr')} {const(size)}))"
                    yield f"  (br_if $next (i32.ne {get('ptr')} {get('end')})))"
            case Struct(id=index):
                for inner, cell in zip(place.parts, record_body(records[index]).cells, strict=True):
                    if not isinstance(inner.shape, Flat) and (measure := self._measure(root, inner, records, source)):
                        yield f"(call {measure}{_loaded(inner, memory, cell.offset)})"
            case Flat():
                raise AssertionError(f"a {part.prim} is not measured")
            case _:
                assert_never(part)

    # Writing

    def _write(self, root: str, place: Place, records: Records, source: str) -> str:
        """The function that writes the value of a place that is not flat."""
        name = f"{root}.{place.number}"
        return self._defined(name, lambda: self._written(root, name, place, records, source))

    def _written(self, root: str, name: str, place: Place, records: Records, source: str) -> list[str]:
        memory = self._imports.memory(source)
        part = place.shape
        writer = Writer(WAT, 1)
        with writer.block(f"func ${name}{_signature(place)[0]}"):
            match part:
                case Text() | Bytes():
                    self._keep_count(writer, place)
                    cursor = self._content(place)
                    # The pointer of what is empty means nothing.
                    with when(writer, get("count")):
                        to = f"(global.get {cursor})"
                        writer.line(self._copiers.move(source, STAGING, to, get("ptr"), get("count")))
                        writer.line(advance(cursor, get("count")))
                    if isinstance(part, Text) and not place.in_row:
                        separator = f"(global.get {self._separator(place.content)})"
                        writer.line(f"(i32.store8 {STAGED} (global.get {cursor}) {separator})")
                        writer.line(advance(cursor, const(1)))
                case List():
                    (inner,) = place.parts
                    size = part.element.layout.size
                    writer.line("(local $end i32)")
                    self._keep_count(writer, place)
                    with when(writer, f"(i32.eqz {get('count')})"):
                        writer.line("(return)")
                    if isinstance(inner.shape, Flat):
                        cursor, bytes_ = self._cursor(inner.content), scaled(get("count"), size)
                        writer.line(self._copiers.move(source, STAGING, f"(global.get {cursor})", get("ptr"), bytes_))
                        writer.line(advance(cursor, bytes_))
                    else:
                        writer.line(f"(local.set $end (i32.add {get('ptr')} {scaled(get('count'), size)}))")
                        with writer.block("loop $next"):
                            write = self._write(root, inner, records, source)
                            writer.line(f"(call {write}{_loaded(inner, memory, 0)})")
                            writer.line(f"(local.set $ptr (i32.add {get('ptr')} {const(size)}))")
                            writer.line(f"(br_if $next (i32.ne {get('ptr')} {get('end')}))")
                case Struct(id=index):
                    for inner, cell in zip(place.parts, record_body(records[index]).cells, strict=True):
                        if isinstance(inner.shape, Flat):
                            self._flat(writer, inner, inner.shape, memory, cell.offset)
                        else:
                            write = self._write(root, inner, records, source)
                            writer.line(f"(call {write}{_loaded(inner, memory, cell.offset)})")
                case Flat():
                    raise AssertionError(f"a {part.prim} is not packed alone")
                case _:
                    assert_never(part)
        return writer.lines

    def _keep_count(self, writer: Writer, place: Place) -> None:
        if place.in_row:
            writer.line(f"(i32.store {STAGED} offset={place.offset} align=1 (global.get {self._row}) {get('count')})")
        elif place.counts >= 0:
            cursor = self._cursor(place.counts)
            writer.line(f"(i32.store {STAGED} align=1 (global.get {cursor}) {get('count')})")
            writer.line(advance(cursor, const(4)))

    def _flat(self, writer: Writer, place: Place, flat: Flat, memory: str, offset: int) -> None:
        ty, load, store = MOVES[flat.layout.size]
        number = f"({ty}.{load} {memory} offset={offset} align=1 {get('ptr')})"
        match flat.kind:
            case Kind.BOOLEAN:
                number = f"(i32.ne {number} {const(0)})"
            case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
                pass
            case _:
                assert_never(flat.kind)
        if place.in_row:
            writer.line(f"({ty}.{store} {STAGED} offset={place.offset} align=1 (global.get {self._row}) {number})")
            return
        cursor = self._cursor(place.content)
        writer.line(f"({ty}.{store} {STAGED} align=1 (global.get {cursor}) {number})")
        writer.line(advance(cursor, const(flat.layout.size)))


def _signature(place: Place) -> tuple[str, str]:
    """The parameters of what reads a place in a guest, and those parameters as arguments."""
    if isinstance(place.shape, Struct):
        return " (param $ptr i32)", f" {get('ptr')}"
    return " (param $ptr i32) (param $count i32)", f" {get('ptr')} {get('count')}"


def _loaded(place: Place, memory: str, offset: int) -> str:
    """The arguments for the value whose slot is at `offset` from `$ptr`."""
    ptr = f" (i32.load {memory} offset={offset} align=1 {get('ptr')})"
    if isinstance(place.shape, Struct):
        return ptr
    return f"{ptr} (i32.load {memory} offset={offset + 4} align=1 {get('ptr')})"


def _fixed(place: Place) -> Iterator[tuple[int, int]]:
    """The columns that get one item of a fixed size for each value of a place."""
    part = place.shape
    match part:
        case Flat(layout=slot):
            yield place.content, slot.size
        case Bytes() | List():
            yield place.counts, 4
        case Text():
            return
        case Struct():
            for inner in place.parts:
                yield from _fixed(inner)
        case _:
            assert_never(part)

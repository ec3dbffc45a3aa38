"""Packed values (`marine_runtime.abi.packing`) as Wasm: lowered from staging into a guest, packed from a guest.

A function per place of a type, guest and direction. Cursors are globals, one for each column; only one value is walked
at a time. What is packed was checked where it lies. It is walked twice: the first walk measures the columns, then the
block is allocated in staging and written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.passes.model import STAGING
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_runtime.abi import (
    BYTES_TAG,
    NO_TEXT,
    Bytes,
    Flat,
    Form,
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

_MOVES = {1: ("i32", "load8_u", "store8"), 2: ("i32", "load16_u", "store16"), 4: ("i32", "load", "store")}
_MOVES[8] = ("i64", "load", "store")
"""How a slot moves as it is, by size."""

_STAGED = "$staging"


class _Walk:
    """What the walks over packed values share."""

    def __init__(self, imports: GlueImports, library: Library, copiers: Copiers) -> None:
        self._imports = imports
        self._library = library
        self._copiers = copiers

    def _global(self, name: str, ty: str = "i32") -> str:
        """The symbol of a mutable global."""
        if name not in self._library.definitions:
            with self._library.definitions.definition(name) as made:
                made.lines = [f"  (global ${name} (mut {ty}) {const(0, ty)})"]
        return f"${self._library.definitions.use(name)}"

    def _cursor(self, column: int) -> str:
        return self._global(f"cursor.{column}")

    @property
    def _row(self) -> str:
        return self._global("row")

    @property
    def _text(self) -> str:
        """The cursor of the row's text."""
        return self._global("text")

    def _separator(self, column: int) -> str:
        return self._global(f"separator.{column}")

    def _defined(self, name: str, write: Callable[[], list[str]]) -> str:
        if name not in self._library.definitions:
            with self._library.definitions.definition(name) as made:
                made.lines = write()
        return f"${self._library.definitions.use(name)}"

    def _content(self, place: Place) -> str:
        """The cursor of a place's text or numbers."""
        return self._text if place.in_row else self._cursor(place.content)


def _advance(cursor: str, by: str) -> str:
    return f"(global.set {cursor} (i32.add (global.get {cursor}) {by}))"


def _scaled(count: str, size: int) -> str:
    return count if size == 1 else f"(i32.mul {count} {const(size)})"


class Lowerers(_Walk):
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
                extent = f"(i32.load {_STAGED} offset={packed.extents + 4 * number} align=1 {get('at')})"
                end = f"(i32.add (global.get {cursor}) {extent})"
            for position, number in enumerate(packed.separated):
                load = f"(i32.load {_STAGED} offset={packed.separators + 4 * position} align=1 {get('at')})"
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
                f"(local.set $count (i32.load {_STAGED} offset={place.offset} align=1 (global.get {self._row})))"
            )
            return
        cursor = self._cursor(place.counts)
        writer.line(f"(local.set $count (i32.load {_STAGED} align=1 (global.get {cursor})))")
        writer.line(_advance(cursor, const(4)))

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
            writer.line(_advance(cursor, after))
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
            size = _scaled(get("count"), slot.size)
            if isinstance(inner.shape, Flat):
                cursor = self._cursor(inner.content)
                writer.line(self._copiers.move(STAGING, target, get("block"), f"(global.get {cursor})", size))
                writer.line(_advance(cursor, size))
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
        ty, load, store = _MOVES[size]
        where = f"offset={place.offset} align=1 (global.get {self._row})"
        if not place.in_row:
            where = f"align=1 (global.get {self._cursor(place.content)})"
        writer.line(f"({ty}.{store} {memory} offset={offset} align=1 {get('block')} ({ty}.{load} {_STAGED} {where}))")
        if not place.in_row:
            writer.line(_advance(self._cursor(place.content), const(size)))


class Packers(_Walk):
    """Functions that pack values of guests into staging. Asking for one requests it."""

    def call(self, ty: IType, records: Records, source: str, ptr: str, length: str) -> str:
        """A call that packs the `ty` at `ptr`, with `length` unless it is a record; the address of the block."""
        packed = packing(ty, records)
        assert packed is not None
        name = f"pack.{self._imports.symbol(source)}.{type_key(ty)}"
        count = "" if isinstance(packed.root.shape, Struct) else f" {length}"
        return f"(call {self._defined(name, lambda: self._root(name, packed, records, source))} {ptr}{count})"

    def _extent(self, column: int) -> str:
        """What a column will take. Parts may overlap, so that it can be more than a memory has."""
        return self._global(f"extent.{column}", "i64")

    @property
    def _length(self) -> str:
        """What the row's text will take."""
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
                writer.line(f"(i32.store {_STAGED} {at} {extent})")
                writer.line(f"(global.set {self._cursor(number)} {end})")
                end = f"(i32.add (global.get {self._cursor(number)}) {extent})"
            for position, number in enumerate(packed.separated):
                at = f"offset={packed.separators + 4 * position} align=1 {get('block')}"
                writer.line(f"(i32.store {_STAGED} {at} (global.get {self._separator(number)}))")
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
                    yield f"(local.set $end (i32.add {get('ptr')} {_scaled(get('count'), size)}))"
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
                        writer.line(_advance(cursor, get("count")))
                    if isinstance(part, Text) and not place.in_row:
                        separator = f"(global.get {self._separator(place.content)})"
                        writer.line(f"(i32.store8 {_STAGED} (global.get {cursor}) {separator})")
                        writer.line(_advance(cursor, const(1)))
                case List():
                    (inner,) = place.parts
                    size = part.element.layout.size
                    writer.line("(local $end i32)")
                    self._keep_count(writer, place)
                    with when(writer, f"(i32.eqz {get('count')})"):
                        writer.line("(return)")
                    if isinstance(inner.shape, Flat):
                        cursor, bytes_ = self._cursor(inner.content), _scaled(get("count"), size)
                        writer.line(self._copiers.move(source, STAGING, f"(global.get {cursor})", get("ptr"), bytes_))
                        writer.line(_advance(cursor, bytes_))
                    else:
                        writer.line(f"(local.set $end (i32.add {get('ptr')} {_scaled(get('count'), size)}))")
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
            writer.line(f"(i32.store {_STAGED} offset={place.offset} align=1 (global.get {self._row}) {get('count')})")
        elif place.counts >= 0:
            cursor = self._cursor(place.counts)
            writer.line(f"(i32.store {_STAGED} align=1 (global.get {cursor}) {get('count')})")
            writer.line(_advance(cursor, const(4)))

    def _flat(self, writer: Writer, place: Place, flat: Flat, memory: str, offset: int) -> None:
        ty, load, store = _MOVES[flat.layout.size]
        number = f"({ty}.{load} {memory} offset={offset} align=1 {get('ptr')})"
        match flat.kind:
            case Kind.BOOLEAN:
                number = f"(i32.ne {number} {const(0)})"
            case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
                pass
            case _:
                assert_never(flat.kind)
        if place.in_row:
            writer.line(f"({ty}.{store} {_STAGED} offset={place.offset} align=1 (global.get {self._row}) {number})")
            return
        cursor = self._cursor(place.content)
        writer.line(f"({ty}.{store} {_STAGED} align=1 (global.get {cursor}) {number})")
        writer.line(_advance(cursor, const(flat.layout.size)))


def _results(place: Place) -> str:
    """The results of what lowers a place."""
    return " (result i32)" if isinstance(place.shape, Struct) else " (result i32 i32)"


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

"""Batches: many calls of an export adapter in one entry of the host, with all arguments in columns.

The block of arguments is a packed array of records with a field for each parameter (`packing_of_rows`). Its extents
become addresses when the first call begins, and move on with each call, so that the batch can be entered again behind a
call that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from marine_gen.codegen.writer import WAT, Writer
from marine_gen.passes.model import FusedAdapter
from marine_gen.wasm_backend.adapters import parts, wasm_results
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.library import Library
from marine_gen.wasm_backend.packed import STAGED, scaled
from marine_runtime.abi import Bytes, Flat, Kind, List, Packing, Place, Struct, Text, packing_of_rows
from marine_runtime.adapters import BATCH_DONE, BATCH_RESIDENT, FREE
from marine_runtime.types import Prim, Records

_COUNT = 4


class BatchFunction:
    """Writes the batch of one export adapter."""

    def __init__(self, adapter: FusedAdapter, records: Records, library: Library) -> None:
        self._adapter = adapter
        self._library = library
        self._packed = packing_of_rows([value.type for value in adapter.params], records)
        self._writer = Writer(WAT, 1)
        self._locals: list[str] = []

    def write(self, name: str, symbol: str) -> Sequence[str]:
        """Write the function that the host enters; gives no lines when a parameter has no packed form.

        It gets the block, where results go (rows of 8-byte cells), how many calls are left, and the first free byte of
        staging. It stops where results take much room.
        """
        packed, writer = self._packed, self._writer
        if packed is None:
            return ()
        body, self._writer = writer, Writer(WAT, 2)
        self._write_start(packed)
        with self._writer.block("block $done", "loop $next"):
            self._write_call(packed, symbol)
        signature = "(param $block i32) (param $out i32) (param $count i32) (param $free i32)"
        with body.block(f'func (export "{name}") {signature}'):
            for declared in self._locals:
                body.line(f"(local {declared})")
            body.lines += self._writer.lines
        return body.lines

    def _write_start(self, packed: Packing) -> None:
        """Turn extents into addresses; the number of rows becomes 0 and says that they are."""
        line = self._writer.line
        line(f"(i32.store {STAGED} {const(FREE)} {get('free')})")
        if not packed.columns:
            return
        self._locals.append("$end i32")
        with when(self._writer, f"(i32.load {STAGED} align=1 {get('block')})"):
            line(f"(i32.store {STAGED} align=1 {get('block')} {const(0)})")
            line(f"(local.set $end (i32.add {get('block')} {const(packed.size)}))")
            for column in range(len(packed.columns)):
                word = self._word(column)
                line(f"{get('end')} (i32.load {STAGED} {word})")
                line(f"(i32.store {STAGED} {word} {get('end')})")
                line("(local.set $end (i32.add))")

    def _write_call(self, packed: Packing, symbol: str) -> None:
        line, out = self._writer.line, get("out")
        (row,) = packed.root.parts
        results = wasm_results(self._adapter)
        line(f"(br_if $done (i32.eqz {get('count')}))")
        arguments: list[str] = []
        for number, (value, place) in enumerate(zip(self._adapter.params, row.parts, strict=True)):
            arguments += self._argument(number, place, packed)[: len(parts(value))]
        line(f"(call ${symbol}{''.join(f' {argument}' for argument in arguments)})")
        for position in reversed(range(len(results))):
            self._locals.append(f"$r{position} {results[position]}")
            line(f"(local.set $r{position})")
            line(f"({results[position]}.store {STAGED} offset={8 * position} {out} {get(f'r{position}')})")
        if self._adapter.signature.results == (Prim.STRING,):
            # Results are strings one behind the other: with something between them, the host takes them apart at once.
            line(f"(i32.store8 {STAGED} (call {self._library.symbol('stage')} {const(1, 'i64')}) {const(0)})")
        line(f"(local.set $out (i32.add {out} {const(8 * len(results))}))")
        line(f"(local.set $count (i32.sub {get('count')} {const(1)}))")
        done = const(BATCH_DONE)
        line(f"(i32.store {STAGED} {done} (i32.add (i32.load {STAGED} {done}) {const(1)}))")
        line(f"(br_if $next (i32.le_u (i32.load {STAGED} {const(FREE)}) {const(BATCH_RESIDENT)}))")

    def _argument(self, number: int, place: Place, packed: Packing) -> Sequence[str]:
        """Write what takes the next argument out of its columns; gives its value, or its address and length."""
        part, ptr, length = place.shape, f"$p{number}", f"$n{number}"
        if isinstance(part, Flat):
            return (self._flat(number, place, part),)
        content, size = place.content, get(length[1:])
        match part:
            case Text():
                at = packed.separators + _COUNT * packed.separated.index(content)
                separator = f"(i32.load {STAGED} offset={at} align=1 {get('block')})"
                found = f"(call {self._library.symbol('until')} {self._cursor(content)} {separator})"
                size = f"(i32.add {size} {const(1)})"
            case Bytes():
                found = self._next_count(place)
            case List(element=element):
                content, found = place.parts[0].content, self._next_count(place)
                size = scaled(size, element.layout.size)
            case Struct():
                raise AssertionError("records are byte arrays in rows")
            case _:
                assert_never(part)
        self._locals += [f"{ptr} i32", f"{length} i32"]
        self._writer.line(f"(local.set {length} {found})")
        self._writer.line(f"(local.set {ptr} {self._cursor(content)})")
        self._advance(content, size)
        return get(ptr[1:]), get(length[1:])

    def _next_count(self, place: Place) -> str:
        """Write the step to the next length or count; gives the expression that loads the last one."""
        self._advance(place.counts, const(_COUNT))
        return f"(i32.load {STAGED} align=1 (i32.sub {self._cursor(place.counts)} {const(_COUNT)}))"

    def _flat(self, number: int, place: Place, part: Flat) -> str:
        (carrier,), size = part.layout.carrier, part.layout.size
        width = f"{8 * size}_{'s' if part.kind is Kind.SIGNED else 'u'}" if size < _COUNT else ""
        self._locals.append(f"$v{number} {carrier}")
        load = f"({carrier}.load{width} {STAGED} align=1 {self._cursor(place.content)})"
        self._writer.line(f"(local.set $v{number} {load})")
        self._advance(place.content, const(size))
        return get(f"v{number}")

    def _word(self, column: int) -> str:
        """The place of a column's extent, later of its cursor."""
        assert self._packed is not None
        return f"offset={self._packed.extents + _COUNT * column} align=1 {get('block')}"

    def _cursor(self, column: int) -> str:
        return f"(i32.load {STAGED} {self._word(column)})"

    def _advance(self, column: int, by: str) -> None:
        word = self._word(column)
        self._writer.line(f"(i32.store {STAGED} {word} (i32.add {self._cursor(column)} {by}))")

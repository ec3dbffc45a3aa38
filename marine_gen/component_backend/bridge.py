"""The bridge: core functions between the canonical ABI and the entries of the facade's glue, over one memory, staging.

What a parameter or result carries is the same in both, but for records. So numbers, strings, byte arrays, and arrays
without records pass as they are; anything with a record is rewritten inside staging, by one function per type and
direction. All values in staging are of the canonical ABI or of the glue, and were checked by those who wrote them.

One call runs at a time, so the bodies of records that are parameters, and the area of the result, have fixed places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from marine_gen.codegen.definitions import Definitions
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.templating import render
from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.component_backend.canonical import MAX_FLAT_PARAMS, POINTER, Canonical, Leaf
from marine_gen.component_backend.slots import LOOPED, Slots, array_loop, load, load_carried, store, store_carried
from marine_gen.component_backend.staging import AREA
from marine_gen.wasm_backend.code import FunctionCode
from marine_gen.wasm_backend.expressions import const, get
from marine_runtime.abi import Bytes, Flat, List, Shape, Struct, Text, record_body, shape
from marine_runtime.adapters import FREE
from marine_runtime.types import FunctionType, Records

_IN_PLACE = 64
"""The leaves of a record up to which it is handled without a call."""


_FREED = f"(i32.store {const(FREE)} (global.get $free))"
"""The statement that frees all of staging. The result is still there: it is read before anything runs again here."""


@dataclass(frozen=True, slots=True)
class BridgedFunction:
    """An exported function.

    Attributes:
        entry: the entry of the glue.
        export: the function of the bridge that calls it; empty when the entry itself has the form that is wanted.
        results: the Wasm types of the results, one at most.
        stages: True if a call leaves anything in staging, which is to be freed.
    """

    entry: str
    export: str
    results: tuple[str, ...]
    stages: bool


class Bridge:
    """Writes the bridge of one facade.

    Attributes:
        area: the bytes that have a fixed place at `AREA`, a multiple of 8.
    """

    def __init__(self, records: Records) -> None:
        self.area = 0
        self._canonical = Canonical(records)
        self._records = records
        self._definitions = Definitions()
        self._imports: list[str] = []
        self._functions: list[str] = []

    def add(self, number: int, name: str, ty: FunctionType) -> BridgedFunction:
        """Write the function that calls `entry.NUMBER`, whose signature is `ty`; it has one result at most."""
        parts = [shape(param.type) for param in ty.params]
        result = shape(ty.results[0]) if ty.results else None
        leaves = self._canonical.tuple_leaves([param.type for param in ty.params])
        if len(leaves) > MAX_FLAT_PARAMS:
            params, values = ["i32"], [load(leaf.flat, "(local.get 0)", leaf.offset) for leaf in leaves]
        else:
            params, values = [leaf.core for leaf in leaves], [f"(local.get {index})" for index in range(len(leaves))]
        entry, carried = f"entry.{number}", [str(core) for part in parts for core in part.layout.carrier]
        returned = [str(core) for core in result.layout.carrier] if result else []
        flat = list(self._canonical.leaves(result)) if result else []
        core = [flat[0].core] if len(flat) == 1 else ["i32"] if flat else []
        stages = (
            any(not isinstance(part, Flat) for part in (*parts, *([result] if result else ()))) or params != carried
        )
        scalar = result is None or isinstance(result, Flat)
        if scalar and params == carried and not any(map(self._canonical.differs, parts)):
            return BridgedFunction(entry, "", tuple(core), stages)
        self._imports.append(f'(import "glue" "{entry}" (func ${entry}{_params(carried)}{_results(returned)}))')
        code, place = FunctionCode(), Slots()
        given, passed = iter(values), list[str]()
        for part, offset in zip(parts, self._canonical.offsets(parts), strict=True):
            if len(leaves) > MAX_FLAT_PARAMS and isinstance(part, Struct) and self._canonical.shrinks(part):
                self._shrink(code, part, "(local.get 0)", offset, partial(self._placed, code, place))
                passed.append(f"(i32.add (local.get 0) {const(offset)})" if offset else "(local.get 0)")
                for _ in self._canonical.leaves(part):
                    next(given)
            else:
                passed += self._placed(code, place, part, given)
        arguments = "".join(f" {value}" for value in passed)
        call = f"(call ${entry}{arguments})"
        if scalar:
            code.line(call)
            code.line(_FREED)
        else:
            assert result
            self._result(code, place, result, call, flat)
        self.area = max(self.area, place.end)
        self._functions.append(f"  {wat_comment(f'{name}{ty}')}")
        self._functions += code.function(f"f{number}", f' (export "f{number}"){_params(params)}{_results(core)}')
        return BridgedFunction(entry, f"f{number}", tuple(core), stages=False)

    def add_import(self, number: int, name: str, ty: FunctionType) -> None:
        """Write the function `hNUMBER` that calls the lowered import of that number, whose signature is `ty`.

        Its parameters and its result are those of Marine's layout, in staging.
        """
        parts = [shape(param.type) for param in ty.params]
        result = shape(ty.results[0]) if ty.results else None
        leaves = self._canonical.tuple_leaves([param.type for param in ty.params])
        flat = list(self._canonical.leaves(result)) if result else []
        spilled = len(leaves) > MAX_FLAT_PARAMS
        lowered = ["i32"] if spilled else [leaf.core for leaf in leaves]
        lowered += ["i32"] if len(flat) > 1 else []
        direct = [flat[0].core] if len(flat) == 1 else []
        self._imports.append(f'(import "host" "{number}" (func $host.{number}{_params(lowered)}{_results(direct)}))')
        with self._host_function(number, name, ty) as writer:
            writer.line("(local $area i32) (local $result i32)")
            if spilled:
                size = self._canonical.tuple_extent(parts).size
                writer.line(f"(local.set $area (call $stage (i64.const {size})))")
            arguments, at = [], 0
            for part, offset in zip(parts, self._canonical.offsets(parts), strict=True):
                carried = [f"(local.get {at + index})" for index in range(len(part.layout.carrier))]
                at += len(carried)
                if spilled:
                    self._out_of(writer, part, carried, get("area"), offset)
                else:
                    arguments += self._flattened(part, carried)
            arguments = [get("area")] if spilled else arguments
            if result is not None and len(flat) > 1:
                writer.line(f"(local.set $result (call $stage (i64.const {self._canonical.extent(result).size})))")
                writer.line(f"(call $host.{number} {' '.join([*arguments, get('result')])})")
                given = iter([load(leaf.flat, get("result"), leaf.offset) for leaf in flat])
            else:
                given = iter([f"(call {' '.join([f'$host.{number}', *arguments])})"])
            for value in self._into(result, given) if result else given:
                writer.line(value)

    def add_empty(self, number: int, name: str, ty: FunctionType) -> None:
        """Write the function `hNUMBER` that returns nothing but zeros, empty strings and empty arrays."""
        with self._host_function(number, name, ty) as writer:
            for one in ty.results:
                part = shape(one)
                if isinstance(part, Struct):
                    writer.line(f"(call {self._empty(part)})")
                else:
                    for core in part.layout.carrier:
                        writer.line(const(0, str(core)))

    def text(self, generator: str) -> str:
        """The bridge as Wasm text."""
        context = {
            "generator": generator,
            "imports": self._imports,
            "definitions": sorted(self._definitions, key=lambda item: item.name),
            "functions": self._functions,
            "free": AREA + self.area,
        }
        return render("marine_gen.component_backend", "bridge.wat.j2", context)

    def _result(self, code: FunctionCode, place: Slots, result: Shape, call: str, flat: Sequence[Leaf]) -> None:
        """Write the result of a call to its area; leave the address, or its only value."""
        area = const(place.take(self._canonical.extent(result).size))
        names = [code.local("result", str(core)) for core in result.layout.carrier]
        code.line(call)
        for name in reversed(names):
            code.line(f"(local.set ${name})")
        self._out_in_place(code, result, [*map(get, names)], area, 0, len(flat))
        code.line(_FREED)
        # A record of one value is returned as that value.
        code.line(load(flat[0].flat, area, flat[0].offset) if len(flat) == 1 else area)

    def _placed(self, code: FunctionCode, place: Slots, part: Shape, leaves: Iterator[str]) -> list[str]:
        """As `_into`, with the bodies of records at fixed places."""
        if not isinstance(part, Struct) or len(list(self._canonical.leaves(part))) > _IN_PLACE:
            return self._into(part, leaves)
        body = record_body(self._records[part.id])
        at = const(place.take(body.size))
        for cell in body.cells:
            store_carried(code, cell.shape, at, cell.offset, self._placed(code, place, cell.shape, leaves))
        return [at]

    def _out_in_place(
        self, code: FunctionCode, part: Shape, values: Sequence[str], base: str, offset: int, leaves: int
    ) -> None:
        """As `_out_of`, with records written in place when they have few leaves."""
        if not isinstance(part, Struct) or leaves > _IN_PLACE:
            self._out_of(code, part, values, base, offset)
            return
        body = code.keep("body", values[0])
        for inner, at, packed in self._canonical.fields(part):
            self._out_in_place(code, inner, load_carried(inner, body, packed), base, offset + at, leaves)

    @contextmanager
    def _host_function(self, number: int, name: str, ty: FunctionType) -> Iterator[Writer]:
        """Write the head of a function that the glue of guests calls."""
        params = [str(core) for param in ty.params for core in shape(param.type).layout.carrier]
        results = [str(core) for one in ty.results for core in shape(one).layout.carrier]
        writer = Writer(WAT, 1)
        writer.line(wat_comment(f"{name}{ty}"))
        with writer.block(f'func (export "h{number}"){_params(params)}{_results(results)}'):
            yield writer
        self._functions += writer.lines

    def _flattened(self, part: Shape, carried: Sequence[str]) -> list[str]:
        """The flattened form of a value, of what carries it in Marine's layout."""
        match part:
            case Flat() | Text() | Bytes():
                return [*carried]
            case List():
                ptr, count = carried
                return [
                    f"(call {self._list_out_of(part)} {ptr} {count})" if self._canonical.differs(part) else ptr,
                    count,
                ]
            case Struct():
                found: list[str] = []
                for inner, _, packed in self._canonical.fields(part):
                    found += self._flattened(inner, load_carried(inner, carried[0], packed))
                return found
            case _:
                assert_never(part)

    def _empty(self, part: Struct) -> str:
        """The function that returns the address of a record of zeros."""
        name = f"empty.{type_key(part.type)}"
        if name not in self._definitions:
            with self._definitions.definition(name) as made:
                body = record_body(self._records[part.id])
                writer = Writer(WAT, 1)
                with writer.block(f"func ${name} (result i32)"):
                    writer.line("(local $body i32)")
                    writer.line(f"(local.set $body (call $stage (i64.const {body.size})))")
                    writer.line(f"(memory.fill {get('body')} {const(0)} {const(body.size)})")
                    for cell in body.cells:
                        if isinstance(cell.shape, Struct):
                            writer.line(store(POINTER, get("body"), cell.offset, f"(call {self._empty(cell.shape)})"))
                    writer.line(get("body"))
                made.lines = writer.lines
        return f"${self._definitions.use(name)}"

    # From the canonical ABI to Marine's layout

    def _into(self, part: Shape, leaves: Iterator[str]) -> list[str]:
        """Expressions for what carries a value, of expressions for its flattened form, which are taken in order."""
        match part:
            case Flat():
                return [next(leaves)]
            case Text() | Bytes():
                return [next(leaves), next(leaves)]
            case List():
                ptr, count = next(leaves), next(leaves)
                if self._canonical.differs(part):
                    ptr = f"(call {self._list_into(part)} {ptr} {count})"
                return [ptr, count]
            case Struct():
                taken = "".join(f" {next(leaves)}" for _ in self._canonical.leaves(part))
                return [f"(call {self._record_into(part)}{taken})"]
            case _:
                assert_never(part)

    def _record_into(self, part: Struct) -> str:
        """The function of the leaves of a record that returns the address of its body."""
        name = f"into.{type_key(part.type)}"
        if name not in self._definitions:
            with self._definitions.definition(name) as made:
                body = record_body(self._records[part.id])
                leaves = list(self._canonical.leaves(part))
                given = (f"(local.get {index})" for index in range(len(leaves)))
                writer = Writer(WAT, 1)
                with writer.block(f"func ${name}{_params([leaf.core for leaf in leaves])} (result i32)"):
                    writer.line("(local $body i32)")
                    writer.line(f"(local.set $body (call $stage (i64.const {body.size})))")
                    for cell in body.cells:
                        store_carried(
                            writer, cell.shape, "(local.get $body)", cell.offset, self._into(cell.shape, given)
                        )
                    writer.line("(local.get $body)")
                made.lines = writer.lines
        return f"${self._definitions.use(name)}"

    def _list_into(self, part: List) -> str:
        """The function (ptr, count) that returns the address of the slots of an array."""
        name = f"into.{type_key(part.type)}"
        if name not in self._definitions:
            with self._definitions.definition(name) as made:
                element = part.element
                size = self._canonical.extent(element).size
                leaves = (load(leaf.flat, get("from"), leaf.offset) for leaf in self._canonical.leaves(element))
                with array_loop(size, part.unit, in_place=not isinstance(element, Struct)) as code:
                    if isinstance(element, Struct) and self._canonical.shrinks(element):
                        self._shrink(code, element, get("from"), 0, self._into)
                        values = [get("from")]
                    else:
                        values = self._into(element, leaves)
                    store_carried(code, element, get("to"), 0, values)
                made.lines = code.function(name, LOOPED)
        return f"${self._definitions.use(name)}"

    def _shrink(
        self, code: FunctionCode, part: Struct, base: str, at: int, into: Callable[[Shape, Iterator[str]], list[str]]
    ) -> None:
        """Make the record at `base + at` a body of Marine's layout, in its own place; `into` is as `_into`."""
        for inner, offset, packed in self._canonical.fields(part):
            if offset == packed and not self._canonical.differs(inner):
                continue
            leaves = (load(leaf.flat, base, leaf.offset) for leaf in self._canonical.leaves(inner, at + offset))
            store_carried(code, inner, base, at + packed, into(inner, leaves))

    # From Marine's layout to the canonical ABI

    def _out_of(self, writer: Writer, part: Shape, values: Sequence[str], base: str, offset: int) -> None:
        """Write the value that `values` carry to `base + offset`."""
        match part:
            case Flat() | Text() | Bytes():
                store_carried(writer, part, base, offset, values)
            case List():
                ptr, count = values
                if self._canonical.differs(part):
                    ptr = f"(call {self._list_out_of(part)} {ptr} {count})"
                store_carried(writer, part, base, offset, [ptr, count])
            case Struct():
                at = f"(i32.add {base} (i32.const {offset}))" if offset else base
                writer.line(f"(call {self._record_out_of(part)} {values[0]} {at})")
            case _:
                assert_never(part)

    def _record_out_of(self, part: Struct) -> str:
        """The function (body, place) that writes a record."""
        name = f"out_of.{type_key(part.type)}"
        if name not in self._definitions:
            with self._definitions.definition(name) as made:
                writer = Writer(WAT, 1)
                with writer.block(f"func ${name} (param $body i32) (param $place i32)"):
                    for inner, offset, packed in self._canonical.fields(part):
                        values = load_carried(inner, "(local.get $body)", packed)
                        self._out_of(writer, inner, values, "(local.get $place)", offset)
                made.lines = writer.lines
        return f"${self._definitions.use(name)}"

    def _list_out_of(self, part: List) -> str:
        """The function (ptr, count) that returns the address of the elements of a list."""
        name = f"out_of.{type_key(part.type)}"
        if name not in self._definitions:
            with self._definitions.definition(name) as made:
                element = part.element
                size, leaves = self._canonical.extent(element).size, len(list(self._canonical.leaves(element)))
                with array_loop(part.unit, size, in_place=not isinstance(element, Struct)) as code:
                    values = load_carried(element, get("from"), 0)
                    self._out_in_place(code, element, values, get("to"), 0, leaves)
                made.lines = code.function(name, LOOPED)
        return f"${self._definitions.use(name)}"


def _params(cores: Sequence[str]) -> str:
    return "".join(f" (param {core})" for core in cores)


def _results(cores: Sequence[str]) -> str:
    return "".join(f" (result {core})" for core in cores)

"""The bridge: core functions between the canonical ABI and the entries of the facade's glue, over one memory, staging.

What a parameter or result carries is the same in both, but for records. So numbers, strings, byte arrays, and arrays
without records pass as they are; anything with a record is rewritten inside staging, by one function per type and
direction. All values in staging are of the canonical ABI or of the glue, and were checked by those who wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from marine_gen.codegen.definitions import Definitions
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.templating import render
from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.component_backend.canonical import MAX_FLAT_PARAMS, POINTER, Canonical, Leaf
from marine_gen.wasm_backend.expressions import const, get, when
from marine_runtime.abi import Bytes, Flat, Kind, List, Shape, Struct, Text, record_body, shape
from marine_runtime.types import FunctionType, Records

_SUFFIXES = {1: "8", 2: "16"}


@dataclass(frozen=True, slots=True)
class BridgedFunction:
    """A function of the bridge.

    Attributes:
        export: its name.
        results: the Wasm types of its results, one at most.
    """

    export: str
    results: tuple[str, ...]


class Bridge:
    """Writes the bridge of one facade."""

    def __init__(self, records: Records) -> None:
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
            params, values = ["i32"], [_load(leaf.flat, "(local.get 0)", leaf.offset) for leaf in leaves]
        else:
            params, values = [leaf.core for leaf in leaves], [f"(local.get {index})" for index in range(len(leaves))]
        given = iter(values)
        arguments = "".join(f" {value}" for part in parts for value in self._into(part, given))
        carried = [str(core) for part in parts for core in part.layout.carrier]
        returned = [str(core) for core in result.layout.carrier] if result else []
        self._imports.append(
            f'(import "glue" "entry.{number}" (func $entry.{number}{_params(carried)}{_results(returned)}))'
        )
        flat = list(self._canonical.leaves(result)) if result else []
        core = [flat[0].core] if len(flat) == 1 else ["i32"] if flat else []
        writer = Writer(WAT, 1)
        writer.line(wat_comment(f"{name}{ty}"))
        with writer.block(f'func (export "f{number}"){_params(params)}{_results(core)}'):
            locals_ = [f"(local $v{index} {core})" for index, core in enumerate(returned)]
            if result is None or (len(flat) == 1 and not isinstance(result, Struct)):
                writer.line(f"(call $entry.{number}{arguments})")
            else:
                writer.line(" ".join(["(local $area i32)", *locals_]))
                writer.line(f"(call $entry.{number}{arguments})")
                for index in reversed(range(len(returned))):
                    writer.line(f"(local.set $v{index})")
                self._result(writer, result, flat)
        self._functions += writer.lines
        return BridgedFunction(f"f{number}", tuple(core))

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
                given = iter([_load(leaf.flat, get("result"), leaf.offset) for leaf in flat])
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
        }
        return render("marine_gen.component_backend", "bridge.wat.j2", context)

    def _result(self, writer: Writer, result: Shape, flat: Sequence[Leaf]) -> None:
        """Write the result, which the locals `$v0`, … carry, to a new area; leave its address, or its only value."""
        size = self._canonical.extent(result).size
        writer.line(f"(local.set $area (call $stage (i64.const {size})))")
        values = [f"(local.get $v{index})" for index in range(len(result.layout.carrier))]
        self._out_of(writer, result, values, "(local.get $area)", 0)
        if len(flat) == 1:  # a record of one value is returned as that value
            writer.line(_load(flat[0].flat, "(local.get $area)", flat[0].offset))
        else:
            writer.line("(local.get $area)")

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
                    found += self._flattened(inner, _load_carried(inner, carried[0], packed))
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
                            writer.line(_store(POINTER, get("body"), cell.offset, f"(call {self._empty(cell.shape)})"))
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
                        _store_carried(
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
                leaves = (
                    _load(leaf.flat, "(local.get $from)", leaf.offset) for leaf in self._canonical.leaves(element)
                )
                values = self._into(element, leaves)
                size = self._canonical.extent(element).size
                writer = Writer(WAT, 1)
                with _loop(writer, name, size, part.unit, in_place=not isinstance(element, Struct)) as body:
                    _store_carried(body, element, "(local.get $to)", 0, values)
                made.lines = writer.lines
        return f"${self._definitions.use(name)}"

    # From Marine's layout to the canonical ABI

    def _out_of(self, writer: Writer, part: Shape, values: Sequence[str], base: str, offset: int) -> None:
        """Write the value that `values` carry to `base + offset`."""
        match part:
            case Flat() | Text() | Bytes():
                _store_carried(writer, part, base, offset, values)
            case List():
                ptr, count = values
                if self._canonical.differs(part):
                    ptr = f"(call {self._list_out_of(part)} {ptr} {count})"
                _store_carried(writer, part, base, offset, [ptr, count])
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
                        values = _load_carried(inner, "(local.get $body)", packed)
                        self._out_of(writer, inner, values, "(local.get $place)", offset)
                made.lines = writer.lines
        return f"${self._definitions.use(name)}"

    def _list_out_of(self, part: List) -> str:
        """The function (ptr, count) that returns the address of the elements of a list."""
        name = f"out_of.{type_key(part.type)}"
        if name not in self._definitions:
            with self._definitions.definition(name) as made:
                element = part.element
                size = self._canonical.extent(element).size
                writer = Writer(WAT, 1)
                with _loop(writer, name, part.unit, size, in_place=not isinstance(element, Struct)) as body:
                    values = _load_carried(element, "(local.get $from)", 0)
                    self._out_of(body, element, values, "(local.get $to)", 0)
                made.lines = writer.lines
        return f"${self._definitions.use(name)}"


@contextmanager
def _loop(writer: Writer, name: str, step_from: int, step_to: int, *, in_place: bool) -> Iterator[Writer]:
    """Write a function (ptr, count) around the statement for one element; `in_place` if both slots are the same."""
    with writer.block(f"func ${name} (param $from i32) (param $count i32) (result i32)"):
        writer.line("(local $block i32) (local $to i32)")
        with when(writer, f"(i32.eqz {get('count')})"):
            writer.line("(return (i32.const 0))")
        size = f"(i64.mul (i64.extend_i32_u {get('count')}) {const(step_to, 'i64')})"
        block = get("from") if in_place else f"(call $stage {size})"
        writer.line(f"(local.set $to (local.tee $block {block}))")
        with writer.block("loop $next"):
            yield writer
            writer.line(f"(local.set $from (i32.add {get('from')} {const(step_from)}))")
            writer.line(f"(local.set $to (i32.add {get('to')} {const(step_to)}))")
            writer.line(f"(local.set $count (i32.sub {get('count')} {const(1)}))")
            writer.line(f"(br_if $next {get('count')})")
        writer.line(get("block"))


def _params(cores: Sequence[str]) -> str:
    return "".join(f" (param {core})" for core in cores)


def _results(cores: Sequence[str]) -> str:
    return "".join(f" (result {core})" for core in cores)


def _load(flat: Flat, base: str, offset: int) -> str:
    """The number in a slot, as a core value."""
    core, suffix = flat.layout.carrier[0], _SUFFIXES.get(flat.layout.size, "")
    if suffix:
        suffix += "_s" if flat.kind is Kind.SIGNED else "_u"
    return f"({core}.load{suffix} offset={offset} align=1 {base})"


def _store(flat: Flat, base: str, offset: int, value: str) -> str:
    core, suffix = flat.layout.carrier[0], _SUFFIXES.get(flat.layout.size, "")
    return f"({core}.store{suffix} offset={offset} align=1 {base} {value})"


def _slots(part: Shape, offset: int) -> list[tuple[Flat, int]]:
    """The numbers in a slot of Marine's layout, with their offsets."""
    match part:
        case Flat():
            return [(part, offset)]
        case Text() | Bytes() | List():
            return [(POINTER, offset), (POINTER, offset + 4)]
        case Struct():
            return [(POINTER, offset)]
        case _:
            assert_never(part)


def _load_carried(part: Shape, base: str, offset: int) -> list[str]:
    return [_load(flat, base, at) for flat, at in _slots(part, offset)]


def _store_carried(writer: Writer, part: Shape, base: str, offset: int, values: Sequence[str]) -> None:
    for (flat, at), value in zip(_slots(part, offset), values, strict=True):
        writer.line(_store(flat, base, at, value))

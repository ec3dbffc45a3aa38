"""Lifting and lowering of types that live out of line: one function per type, made only when something uses it.

Strings, bytes and numeric arrays come ready-made from the runtime; records and arrays of anything else get a function
of their own, shared by all adapters of the module, so the size of the output grows with the types and not with their
uses. A flat record is one `struct` operation. Types that can nest without end count their depth.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import assert_never

from marine_gen.codegen.literals import python_sum, python_tuple
from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.python_backend.needs import CONSTANTS, HELPERS, READY, Needs, own
from marine_runtime.abi import (
    BYTES_TAG,
    Body,
    Bytes,
    Flat,
    Form,
    Kind,
    List,
    Shape,
    Struct,
    Text,
    cost,
    has_parts,
    is_flat,
    record_body,
    shape,
)
from marine_runtime.types import IType, Records, record_in, recursive_records
from marine_runtime.wasm import MANY, STEP


class Helpers:
    """The helpers that one generated module needs for one memory. Asking for a name requests the helper."""

    def __init__(
        self, records: Records, needs: Needs, memory: str, allocate: Callable[[], str], prefix: str = ""
    ) -> None:
        """Lift from and lower to the `memory` of the frame.

        `allocate` requests its `allocate`; `prefix` keeps the helpers of several memories apart.
        """
        self.records = records
        self.needs = needs
        self._frame_memory = memory
        self._allocate = allocate
        self._prefix = prefix

    @property
    def memory(self) -> str:
        """The memory, requested."""
        return self.needs.frame(self._frame_memory)

    @property
    def _any(self) -> str:
        return self.needs.support("Any")

    # Names

    def lift(self, ty: IType) -> str:
        """The name of the function that lifts `ty` from its pointer (and length)."""
        part = shape(ty)
        match part:
            case Text():
                return self._ready("lift_string", "string_lifter", self.memory)
            case Bytes():
                return self._ready("lift_bytes", "bytes_lifter", self.memory)
            case List(element=Flat() as element):
                return self._flat_lifter(part, element)
            case List():
                return self._function("lift", ty, lambda name: self._lift_list(name, part))
            case Struct():
                return self._function("lift", ty, lambda name: self._lift_record(name, part))
            case Flat():
                raise AssertionError(f"a {ty} is not lifted from memory")
            case _:
                assert_never(part)

    def lower(self, ty: IType) -> str:
        """The name of the function that allocates and writes a `ty`."""
        part = shape(ty)
        match part:
            case Text():
                return self._ready("lower_string", "string_lowerer", self._both)
            case Bytes():
                return self._ready("lower_bytes", "bytes_lowerer", self._both)
            case List(element=Flat(layout=slot)):
                arguments = f'{self._both}, "{slot.format}", {slot.size}, {slot.tag}'
                return self._ready(f"lower_{type_key(ty)}", "flat_lowerer", arguments)
            case List():
                return self._function("lower", ty, lambda name: self._lower_list(name, part))
            case Struct():
                return self._function("lower", ty, lambda name: self._lower_record(name, part))
            case Flat():
                raise AssertionError(f"a {ty} is not lowered into memory")
            case _:
                assert_never(part)

    def _flat_lifter(self, part: List, element: Flat) -> str:
        match element.kind:
            case Kind.BOOLEAN:
                return self._ready("lift_bools", "bool_lifter", self.memory)
            case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
                slot = element.layout
                arguments = f'{self.memory}, "{slot.format}", {slot.size}'
                return self._ready(f"lift_{type_key(part.type)}", "flat_lifter", arguments)
            case _:
                assert_never(element.kind)

    def _function(self, verb: str, ty: IType, write: Callable[[str], list[str]]) -> str:
        name = own(f"{self._prefix}{verb}_{type_key(ty)}")
        if name not in self.needs.definitions:  # it is entered before it is written: the type may contain itself
            with self.needs.definition(HELPERS, name) as definition:
                definition.lines = write(name)
        return self.needs.definitions.use(name)

    def store(self) -> str:
        """The name of the function that writes bytes to an allocated block."""
        return self._ready("store_bytes", "bytes_storer", self.memory)

    def counts_depth(self, ty: IType) -> bool:
        """True if the lift function of `ty` takes a depth: a record that contains itself is within reach."""
        return record_in(ty) in self._recursive

    def _ready(self, name: str, maker: str, arguments: str) -> str:
        """The name of a helper that the runtime makes for this memory."""
        return self._binding(name, f"{self.needs.support(maker)}({arguments})")

    def _binding(self, name: str, expression: str) -> str:
        return self.needs.binding(READY, self._prefix + name, expression)

    @property
    def _both(self) -> str:
        """Memory and `allocate`, as arguments."""
        return f"{self.memory}, {self._allocate()}"

    def _new_block(self) -> str:
        return self._ready("new_block", "block_allocator", self._both)

    # Counting what is lifted, see `marine_runtime.wasm.memory`

    def meter(self) -> str:
        """The name of the memory's meter."""
        return self._binding("meter", f"{self.memory}.meter")

    def start_meter(self) -> str:
        """The statement that does what `Meter.start` does, without the call."""
        meter = self.meter()
        return f"{meter}.left = {meter}.granted = {STEP}"

    def shares(self, ty: IType) -> bool:
        """True if values of `ty` have parts, which may be shared."""
        return has_parts(shape(ty), self.records)

    def _pay(self, writer: Writer, cost: str) -> None:
        meter = self.meter()
        writer.line(f"{meter}.left -= {cost}")
        with writer.block(f"if {meter}.left < 0:"):
            writer.line(f"{meter}.more()")  # check: closures the limit is asked for

    @cached_property
    def _recursive(self) -> frozenset[int]:
        return recursive_records(self.records)

    # Code

    def _struct(self, record: Struct) -> tuple[str, str, Body]:
        """The names of unpack and pack for a record's body, and the body."""
        body = record_body(self.records[record.id])
        name = self.needs.binding(CONSTANTS, f"body_{record.id}", f'{self.needs.standard("Struct")}("<{body.format}")')
        return f"{name}.unpack_from", f"{name}.pack_into", body

    def _lift_call(self, ty: IType, arguments: str, depth: str) -> str:
        return f"{self.lift(ty)}({arguments}{', ' + depth if self.counts_depth(ty) else ''})"

    def _lift_record(self, name: str, part: Struct) -> list[str]:
        unpack, _, body = self._struct(part)
        deep = self.counts_depth(part.type)
        writer = Writer(PYTHON, 1)
        with writer.block(f"def {name}(ptr: int{', depth: int = 0' if deep else ''}) -> tuple[{self._any}, ...]:"):
            if deep:
                # check: closures depth of records
                with writer.block(f"if depth >= {self.needs.support('MAX_RECORD_DEPTH')}:"):
                    writer.line(f"raise {self.needs.support('too_deep')}()")
            with writer.block("try:"):
                writer.line(f"body = {unpack}({self.memory}.view, ptr)")
            with writer.block(f"except {self.needs.standard('StructError')}:"):
                # check: closures body inside the memory
                writer.line(f"body = {unpack}({self.memory}.claim(ptr, {body.size}))")
            names, parts = [], []
            depth = "depth + 1" if deep else "1"
            for index, cell in enumerate(body.cells):
                cells = _cells(cell.shape, index)
                names += cells
                parts.append(cells[0] if is_flat(cell.type) else self._lift_call(cell.type, ", ".join(cells), depth))
            if names == parts:
                writer.line("return body")
            else:
                writer.line(f"{python_tuple(names)} = body")
                self._pay(writer, self._fields_cost(body))  # check: closures parts of records are counted
                writer.line(f"return {python_tuple(parts)}")
        return writer.lines

    def _fields_cost(self, body: Body) -> str:
        """The cost of the parts of a record, once their lengths `n0`, … are known."""
        total, lengths = 0, []
        for index, cell in enumerate(body.cells):
            fixed, each = cost(cell.shape, self.records)
            total += fixed
            if each:
                lengths.append(f"n{index}" if each == 1 else f"{each} * n{index}")
        return python_sum([str(total), *lengths])

    def _lift_list(self, name: str, part: List) -> list[str]:
        element = part.element
        deep = self.counts_depth(part.type)
        size = part.unit
        writer = Writer(PYTHON, 1)
        with writer.block(
            f"def {name}(ptr: int, count: int{', depth: int = 0' if deep else ''}) -> list[{self._any}]:"
        ):
            with writer.block("if not count:"):
                writer.line("return []")
            writer.line(f"size = count * {size}")
            writer.line(f"slots = {self.memory}.view[ptr : ptr + size]")
            with writer.block("if len(slots) != size:"):  # check: closures slots inside the memory
                writer.line(f"slots = {self.memory}.claim(ptr, size)")
            fixed, each = cost(element, self.records)
            meter, many = self.meter(), f"count > {MANY}"
            writer.line('cells = slots.cast("I").tolist()')
            if element.layout.form is Form.POINTER:
                self._pay(writer, f"{fixed} * count")  # check: closures records in arrays are counted
                call = self._lift_call(element.type, "p", "depth")
                writer.line(f"return [{call} for p in ({meter}.watched(cells) if {many} else cells)]")
            else:
                lengths = "sum(cells[1::2])"
                # check: closures lists in arrays are counted
                self._pay(writer, f"{fixed} * count + {lengths if each == 1 else f'{each} * {lengths}'}")
                call = self._lift_call(element.type, "p, n", "depth")
                writer.line(f"pairs = {meter}.watched(cells) if {many} else iter(cells)")
                writer.line(f"return [{call} for p, n in zip(pairs, pairs, strict=True)]")
        return writer.lines

    def _lower_record(self, name: str, part: Struct) -> list[str]:
        _, pack, body = self._struct(part)
        writer = Writer(PYTHON, 1)
        with writer.block(f"def {name}(value: tuple[{self._any}, ...]) -> int:"):
            values = [f"v{index}" for index in range(len(body.cells))]
            writer.line(f"{python_tuple(values)} = value")
            cells = []
            for index, cell in enumerate(body.cells):
                names = _cells(cell.shape, index)
                if not is_flat(cell.type):
                    writer.line(f"{', '.join(names)} = {self.lower(cell.type)}(v{index})")
                cells += names
            writer.line(f"ptr = {self._new_block()}({body.size}, {BYTES_TAG})")
            with writer.block("try:"):
                writer.line(f"{pack}({self.memory}.view, ptr, {', '.join(cells)})")
            with writer.block(f"except {self.needs.standard('StructError')}:"):
                writer.line(f"{pack}({self.memory}.claim(ptr, {body.size}), 0, {', '.join(cells)})")
            writer.line("return ptr")
        return writer.lines

    def _lower_list(self, name: str, part: List) -> list[str]:
        element = part.element
        slot = element.layout
        writer = Writer(PYTHON, 1)
        with writer.block(f"def {name}(values: list[{self._any}]) -> tuple[int, int]:"):
            writer.line("count = len(values)")
            with writer.block("if not count:"):
                writer.line("return 0, 0")
            writer.line(f"ptr = {self._new_block()}(count * {slot.size}, {slot.tag})")
            if slot.form is Form.POINTER:
                lowered = f"[{self.lower(element.type)}(value) for value in values]"
                writer.line(f'cells = {self.needs.standard("array")}("I", {lowered})')
            else:
                writer.line(f'cells = {self.needs.standard("array")}("I")')
                with writer.block("for value in values:"):
                    writer.line(f"cells.extend({self.lower(element.type)}(value))")
            writer.line(f"{self.store()}(ptr, cells.tobytes())")
            writer.line("return ptr, count")
        return writer.lines


def _cells(part: Shape, index: int) -> list[str]:
    """Names for what the slot of field `index` holds."""
    form = part.layout.form
    match form:
        case Form.FLAT:
            return [f"v{index}"]
        case Form.POINTER:
            return [f"p{index}"]
        case Form.PAIR:
            return [f"p{index}", f"n{index}"]
        case _:
            assert_never(form)

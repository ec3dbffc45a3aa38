"""Lifting and lowering of types that live out of line: one function per type, made only when something uses it.

Strings, bytes and numeric arrays come ready-made from the runtime; records and arrays of anything else get a function
of their own, shared by all adapters of the module, so the size of the output grows with the types and not with their
uses. A flat record is one `struct` operation. Types that can nest without end count their depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marine_gen.python_backend.writer import Writer
from marine_runtime.types import Array, IType, Prim, Record, Records, is_bytes, layout
from marine_runtime.wasm import MANY, PART, STEP


@dataclass(slots=True)
class Helpers:
    """The helpers that one generated module needs. Asking for a name requests the helper.

    Attributes:
        memory: the expression for the memory that values are lifted from and lowered to.
        allocate: the expression for its `allocate`.
        prefix: stands before every name, so that helpers for two memories can stand side by side.
        imports: names to import from `marine_runtime.adapters.contract`.
        ready: statements that bind ready-made helpers, by name.
        structs: `struct` formats of record bodies, by name.
        functions: finished code of the functions, by name.
        uses_allocate: whether `allocate` is needed.
    """

    records: Records
    memory: str = "memory"
    allocate: str = "allocate"
    prefix: str = ""
    imports: set[str] = field(default_factory=set)
    ready: dict[str, str] = field(default_factory=dict)
    structs: dict[str, str] = field(default_factory=dict)
    functions: dict[str, list[str]] = field(default_factory=dict)
    uses_allocate: bool = False

    # Names

    def lift(self, ty: IType) -> str:
        """The name of the function that lifts `ty` from its pointer (and length)."""
        if ty is Prim.STRING:
            return self._ready("lift_string", "string_lifter", self.memory)
        if is_bytes(ty):
            return self._ready("lift_bytes", "bytes_lifter", self.memory)
        if isinstance(ty, Array) and ty.element is Prim.BOOLEAN:
            return self._ready("lift_bools", "bool_lifter", self.memory)
        if isinstance(ty, Array) and (code := layout(ty.element).code):
            size = layout(ty.element).size
            return self._ready(f"lift_{_key(ty)}", "flat_lifter", f'{self.memory}, "{code}", {size}')
        name = f"{self.prefix}lift_{_key(ty)}"
        if name not in self.functions:
            self.functions[name] = []  # entered first: the type may contain itself
            self.functions[name] = self._lift_record(name, ty) if isinstance(ty, Record) else self._lift_array(name, ty)
        return name

    def lower(self, ty: IType) -> str:
        """The name of the function that allocates and writes a `ty`."""
        self.uses_allocate = True
        if ty is Prim.STRING:
            return self._ready("lower_string", "string_lowerer", self._both)
        if is_bytes(ty):
            return self._ready("lower_bytes", "bytes_lowerer", self._both)
        if isinstance(ty, Array) and layout(ty.element).code:
            slot = layout(ty.element)
            arguments = f'{self._both}, "{slot.code}", {slot.size}, {slot.tag}'
            return self._ready(f"lower_{_key(ty)}", "flat_lowerer", arguments)
        name = f"{self.prefix}lower_{_key(ty)}"
        if name not in self.functions:
            self.functions[name] = []
            self.functions[name] = (
                self._lower_record(name, ty) if isinstance(ty, Record) else self._lower_array(name, ty)
            )
        return name

    def store(self) -> str:
        """The name of the function that writes bytes to an allocated block."""
        return self._ready("store_bytes", "bytes_storer", self.memory)

    def counts_depth(self, ty: IType) -> bool:
        """Whether the lift function of `ty` takes a depth: a record that contains itself is within reach."""
        return any(self._reaches(index, index) for index in self._records_within(ty))

    def use(self, name: str) -> str:
        """A name of `marine_runtime.adapters.contract`, imported."""
        self.imports.add(name)
        return name

    def _ready(self, name: str, maker: str, arguments: str) -> str:
        self.imports.add(maker)
        self.ready[self.prefix + name] = f"{maker}({arguments})"
        return self.prefix + name

    @property
    def _both(self) -> str:
        return f"{self.memory}, {self.allocate}"

    def _new_block(self) -> str:
        return self._ready("new_block", "block_allocator", self._both)

    # Counting what is lifted, see `marine_runtime.wasm.memory`

    def meter(self) -> str:
        """The name of the memory's meter."""
        self.ready[f"{self.prefix}meter"] = f"{self.memory}.meter"
        return f"{self.prefix}meter"

    def start_meter(self) -> str:
        """The statement that does what `Meter.start` does, without the call."""
        meter = self.meter()
        return f"{meter}.left = {meter}.granted = {STEP}"

    def shares(self, ty: IType) -> bool:
        """Whether values of `ty` have parts, which may be shared."""
        if isinstance(ty, Array):
            return not layout(ty.element).code
        return isinstance(ty, Record) and any(not layout(item.type).code for item in self.records[ty.id].fields)

    def _pay(self, writer: Writer, cost: str) -> None:
        meter = self.meter()
        writer.line(f"{meter}.left -= {cost}")
        with writer.block(f"if {meter}.left < 0:"):
            writer.line(f"{meter}.more()")

    def _cost(self, ty: IType) -> tuple[int, int]:
        """What a part of type `ty` costs: a constant, and so much for each element that it has."""
        if isinstance(ty, Record):
            return PART + sum(layout(item.type).size for item in self.records[ty.id].fields), 0
        return PART, layout(ty.element).size if isinstance(ty, Array) else 1

    # Reachability

    def _records_within(self, ty: IType) -> set[int]:
        """Type indices of all records reachable from `ty`, through any path."""
        found: set[int] = set()
        pending = [ty]
        while pending:
            ty = pending.pop()
            while isinstance(ty, Array):
                ty = ty.element
            if isinstance(ty, Record) and ty.id not in found:
                found.add(ty.id)
                pending += [item.type for item in self.records[ty.id].fields]
        return found

    def _reaches(self, start: int, goal: int) -> bool:
        return any(goal in self._records_within(item.type) for item in self.records[start].fields)

    # Code

    def _struct(self, record: Record) -> tuple[str, str, int]:
        """The names of unpack and pack for a record's body, and its size in bytes."""
        fields = self.records[record.id].fields
        codes = "".join(layout(item.type).code or ("I" if isinstance(item.type, Record) else "II") for item in fields)
        name = f"body_{record.id}"
        self.structs[name] = f'Struct("<{codes}")'
        size = sum(layout(item.type).size for item in fields)
        return f"{name}.unpack_from", f"{name}.pack_into", size

    def _lift_call(self, ty: IType, arguments: str, depth: str) -> str:
        return f"{self.lift(ty)}({arguments}{', ' + depth if self.counts_depth(ty) else ''})"

    def _lift_record(self, name: str, ty: Record) -> list[str]:
        unpack, _, size = self._struct(ty)
        deep = self.counts_depth(ty)
        writer = Writer()
        with writer.block(f"def {name}(ptr: int{', depth: int = 0' if deep else ''}) -> tuple[Any, ...]:"):
            if deep:
                with writer.block(f"if depth >= {self.use('MAX_RECORD_DEPTH')}:"):
                    writer.line(f"raise {self.use('too_deep')}()")
            with writer.block("try:"):
                writer.line(f"body = {unpack}({self.memory}.view, ptr)")
            with writer.block("except StructError:"):
                writer.line(f"body = {unpack}({self.memory}.claim(ptr, {size}))")
            names, parts = [], []
            for index, item in enumerate(self.records[ty.id].fields):
                if layout(item.type).code:
                    names.append(f"v{index}")
                    parts.append(f"v{index}")
                elif isinstance(item.type, Record):
                    names.append(f"p{index}")
                    parts.append(self._lift_call(item.type, f"p{index}", "depth + 1" if deep else "1"))
                else:
                    names += [f"p{index}", f"n{index}"]
                    parts.append(self._lift_call(item.type, f"p{index}, n{index}", "depth + 1" if deep else "1"))
            if names == parts:
                writer.line("return body")
            else:
                writer.line(f"{_tuple(names)} = body")
                self._pay(writer, self._fields_cost(ty))
                writer.line(f"return {_tuple(parts)}")
        return writer.lines

    def _fields_cost(self, ty: Record) -> str:
        """What the parts of a record cost, once their lengths `n0`, … are known."""
        total, lengths = 0, []
        for index, item in enumerate(self.records[ty.id].fields):
            if not layout(item.type).code:
                fixed, each = self._cost(item.type)
                total += fixed
                if each:
                    lengths.append(f"n{index}" if each == 1 else f"{each} * n{index}")
        return " + ".join([str(total), *lengths])

    def _lift_array(self, name: str, ty: IType) -> list[str]:
        assert isinstance(ty, Array)
        element = ty.element
        deep = self.counts_depth(ty)
        size = layout(element).size
        writer = Writer()
        with writer.block(f"def {name}(ptr: int, count: int{', depth: int = 0' if deep else ''}) -> list[Any]:"):
            with writer.block("if not count:"):
                writer.line("return []")
            writer.line(f"size = count * {size}")
            writer.line(f"slots = {self.memory}.view[ptr : ptr + size]")
            with writer.block("if len(slots) != size:"):
                writer.line(f"slots = {self.memory}.claim(ptr, size)")
            fixed, each = self._cost(element)
            meter, many = self.meter(), f"count > {MANY}"
            writer.line('cells = slots.cast("I").tolist()')
            if isinstance(element, Record):
                self._pay(writer, f"{fixed} * count")
                call = self._lift_call(element, "p", "depth")
                writer.line(f"return [{call} for p in ({meter}.watched(cells) if {many} else cells)]")
            else:
                lengths = "sum(cells[1::2])"
                self._pay(writer, f"{fixed} * count + {lengths if each == 1 else f'{each} * {lengths}'}")
                call = self._lift_call(element, "p, n", "depth")
                writer.line(f"pairs = {meter}.watched(cells) if {many} else iter(cells)")
                writer.line(f"return [{call} for p, n in zip(pairs, pairs, strict=True)]")
        return writer.lines

    def _lower_record(self, name: str, ty: Record) -> list[str]:
        _, pack, size = self._struct(ty)
        writer = Writer()
        with writer.block(f"def {name}(value: tuple[Any, ...]) -> int:"):
            fields = self.records[ty.id].fields
            values = [f"v{index}" for index in range(len(fields))]
            writer.line(f"{_tuple(values)} = value")
            cells = []
            for index, item in enumerate(fields):
                if layout(item.type).code:
                    cells.append(f"v{index}")
                elif isinstance(item.type, Record):
                    writer.line(f"p{index} = {self.lower(item.type)}(v{index})")
                    cells.append(f"p{index}")
                else:
                    writer.line(f"p{index}, n{index} = {self.lower(item.type)}(v{index})")
                    cells += [f"p{index}", f"n{index}"]
            writer.line(f"ptr = {self._new_block()}({size}, 1)")
            with writer.block("try:"):
                writer.line(f"{pack}({self.memory}.view, ptr, {', '.join(cells)})")
            with writer.block("except StructError:"):
                writer.line(f"{pack}({self.memory}.claim(ptr, {size}), 0, {', '.join(cells)})")
            writer.line("return ptr")
        return writer.lines

    def _lower_array(self, name: str, ty: IType) -> list[str]:
        assert isinstance(ty, Array)
        slot = layout(ty.element)
        writer = Writer()
        with writer.block(f"def {name}(values: list[Any]) -> tuple[int, int]:"):
            writer.line("count = len(values)")
            with writer.block("if not count:"):
                writer.line("return 0, 0")
            writer.line(f"ptr = {self._new_block()}(count * {slot.size}, {slot.tag})")
            if isinstance(ty.element, Record):
                writer.line(f'cells = array("I", [{self.lower(ty.element)}(value) for value in values])')
            else:
                writer.line('cells = array("I")')
                with writer.block("for value in values:"):
                    writer.line(f"cells.extend({self.lower(ty.element)}(value))")
            writer.line(f"{self.store()}(ptr, cells.tobytes())")
            writer.line("return ptr, count")
        return writer.lines


def _key(ty: IType) -> str:
    """A type as part of an identifier: `array_record_6`."""
    if is_bytes(ty):
        return "bytes"
    if isinstance(ty, Array):
        return f"array_{_key(ty.element)}"
    return f"record_{ty.id}" if isinstance(ty, Record) else ty.value


def _tuple(items: list[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"

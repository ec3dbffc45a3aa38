"""Fused adapters as Wasm functions.

Values of adapters are locals; a remote value is a pair of pointer and length and is only moved by a copy. Every step
that can fail writes its position first. An adapter pushes its position on entry and pops it on return; after a trap the
positions tell the runtime which adapters were running.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import assert_never

from marine_gen.codegen.definitions import Definition
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.interfaces.conversions import Conversion, conversion
from marine_gen.ir.model import Call, Constant, Convert, CoreCallee, Lift, Lower, Side, Size, StoreBlock, Value
from marine_gen.passes.model import STAGING, Copy, Frame, FusedAdapter, HostCall, Step, Validate, Write, homes
from marine_gen.wasm_backend.code import ROOM, FunctionCode
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.guests import Guests
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Caller, Library
from marine_gen.wasm_backend.lower import Lowerers
from marine_gen.wasm_backend.pack import Packers
from marine_gen.wasm_backend.validate import Validators
from marine_runtime.abi import (
    INTEGER_RANGES,
    Bytes,
    Flat,
    Form,
    List,
    Struct,
    Text,
    is_flat,
    layout_of,
    packing,
    raw_codes,
    shape,
)
from marine_runtime.adapters import DATA, FREE, ORDINAL_SHIFT, SLACK, STACK_TOP, Fault
from marine_runtime.types import IType, Prim, Records

_HERE = "here.at"
"""The local with the address of the adapter's own position; the dot keeps it apart from all values."""

Row = tuple[tuple[Frame, ...], tuple[object, ...]]
"""A row of the site table: the trail, and what the runtime needs to explain a fault there."""


@dataclass(slots=True)
class SiteTable:
    """The site table of one glue module, whose rows are numbered from `first` on."""

    ordinal: int
    first: int = 0
    rows: list[Row] = field(default_factory=list)
    _known: dict[Row, int] = field(default_factory=dict)

    def position(self, trail: tuple[Frame, ...], info: tuple[object, ...]) -> int:
        """The position to write for a step; equal rows are shared."""
        row = (trail, info)
        if row not in self._known:
            self._known[row] = self.first + len(self.rows)
            self.rows.append(row)
        return self.ordinal << ORDINAL_SHIFT | self._known[row]


def core_type(ty: IType) -> str:
    """The Wasm type of a scalar or of one part of a remote value."""
    return str(layout_of(ty).carrier[0])


def parts(value: Value) -> list[str]:
    """The Wasm parameters that carry `value`."""
    form = layout_of(value.type).form
    match form:
        case Form.FLAT:
            return [value.name]
        case Form.POINTER:
            return [f"{value.name}.ptr"]
        case Form.PAIR:
            return [f"{value.name}.ptr", f"{value.name}.len"]
        case _:
            assert_never(form)


Writers = tuple[Guests, Validators, Copiers, tuple[Lowerers, Packers]]
"""The context that adapters of a glue module share: calls of guests, checks, copies, packed values both ways."""


class AdapterFunction:
    """Writes one adapter."""

    def __init__(
        self,
        adapter: FusedAdapter,
        symbol: str,
        imports: GlueImports,
        library: Library,
        writers: Writers,
        sites: SiteTable,
        opening: Sequence[str] = (),
    ) -> None:
        self._adapter = adapter
        self._symbol = symbol
        self._imports = imports
        self._library = library
        self._guests, self._validators, self._copiers, (self._lowerers, self._packers) = writers
        self._sites = sites
        self._home = homes(adapter)
        self._text: dict[Value, str] = {}  # scalars: the expression that gives them
        self._remote: dict[Value, tuple[str, str]] = {}  # remote values: expressions for pointer and length
        # A call from or to Python costs much more than a check in place saves.
        exported = adapter.side is Side.EXPORT and library.caller is Caller.PYTHON
        python = exported or any(isinstance(step.operation, HostCall) for step in adapter.steps)
        self._body = FunctionCode(room=0 if python else ROOM)
        self._position = -1
        self._positions = library.caller.reads_positions
        self._host_calls = 0
        self._walked: dict[str, None] = {}  # globals that a call of the host may change under a walk
        self._opening = opening

    def write(self, title: str) -> Definition:
        """Define the function, under a comment."""
        with self._library.definitions.definition(self._symbol) as made:
            made.lines = [f"  {wat_comment(title)}", *self._lines()]
        return made

    def _lines(self) -> list[str]:
        params = []
        for value in self._adapter.params:
            names = parts(value)
            params += [f"(param ${name} {core_type(value.type)})" for name in names]
            if is_flat(value.type):
                self._text[value] = get(names[0])
            else:
                self._remote[value] = get(names[0]), get(names[-1])
        trail: tuple[Frame, ...] = ()
        for step in self._adapter.steps:
            if step.trail != trail:
                trail = step.trail
                last = trail[-1]
                where = f"{last.module}, {last.side.value} adapter of {last.function}"
                self._body.line(wat_comment(f"{where}, #{last.index} {last.text}"))
            self._step(step)
        returns = [self._text[value] for value in self._adapter.returns]
        results = "".join(f" (result {core_type(value.type)})" for value in self._adapter.returns)
        out = Writer(WAT, 1)
        if self._host_calls:
            for name in ("free.before", *(f"before.{number}" for number in range(len(self._walked)))):
                self._body.declare(name)
        signature = f"{' '.join(params)}{results}".strip()
        with out.block(f"func ${self._symbol}{' ' + signature if signature else ''}"):
            if self._positions:
                out.line(f"(local ${_HERE} i32)")
            self._body.declare_all(out)
            for text in self._opening:
                out.line(text)
            with self._positioned(out), self._restoring(out) if self._host_calls else nullcontext():
                out.lines += self._body.lines
            for text in returns:
                out.line(text)
        return out.lines

    @contextmanager
    def _positioned(self, out: Writer) -> Iterator[None]:
        """Write, around a body, what pushes its position and pops it, where somebody reads it."""
        if not self._positions:
            yield
            return
        top = const(STACK_TOP)
        out.line(f"(local.set ${_HERE} (i32.load $staging {top}))")
        with when(out, f"(i32.ge_u {get(_HERE)} {const(DATA)})"):  # check: fused depth of adapters
            out.line(self._library.fault(Fault.DEPTH))
        out.line(f"(i32.store $staging {top} (i32.add {get(_HERE)} {const(4)}))")
        yield
        out.line(f"(i32.store $staging {top} {get(_HERE)})")

    # Steps

    def _step(self, step: Step) -> None:
        operation = step.operation
        match operation:
            case Constant(value=number):
                (result,) = operation.results
                self._text[result] = const(number, core_type(result.type))
            case Size():
                self._text[operation.results[0]] = self._remote[operation.operands[0]][1]
            case Convert():
                self._convert(step, operation.results[0], operation.operands[0])
            case Validate():
                self._check(step, operation)
            case Write():
                (ptr, size), (block, value) = operation.results, operation.operands
                self._mark(step)
                source = self._home[value]
                where, length = self._remote[value]
                self._copiers.write(self._body, source, step.module, self._text[block], where, length)
                self._text[ptr], self._text[size] = self._text[block], length
            case Copy():
                self._copy(step, operation)
            case Call():
                self._call(step, operation)
            case HostCall():
                self._host_call(step, operation)
            case Lift() | StoreBlock() | Lower():
                raise AssertionError("`fuse` leaves no lift, store or lower")
            case _:
                assert_never(operation)

    def _mark(self, step: Step, *info: object) -> None:
        """Write the position of a step that may fail."""
        position = self._sites.position(step.trail, info)
        if self._positions and position != self._position:
            self._position = position
            self._body.line(f"(i32.store $staging {get(_HERE)} {const(position)})")

    def _define(self, value: Value, text: str) -> None:
        self._body.declare(value.name, core_type(value.type))
        self._body.line(f"(local.set ${value.name} {text})")
        self._text[value] = get(value.name)

    def _define_all(self, values: Sequence[Value], text: str) -> None:
        """The values that `text` results in, of any number."""
        if len(values) == 1:
            self._define(values[0], text)
            return
        self._body.line(text)
        for value in reversed(values):
            self._body.declare(value.name, core_type(value.type))
            self._body.line(f"(local.set ${value.name})")
            self._text[value] = get(value.name)

    def _check(self, step: Step, check: Validate) -> None:
        (result,) = check.results
        ptr = self._text[check.operands[0]]
        length = self._text[check.operands[-1]]
        self._remote[result] = ptr, length
        self._mark(step, "lift", step.module, result.type)
        if start := self._validators.start_meter(step.module, result.type):
            self._body.line(start)
        numbers = f"(i64.extend_i32_u {ptr})", f"(i64.extend_i32_u {length})"
        fault = self._library.fault(Fault.LIFT, *numbers)
        invalid, valid = self._body.label("invalid"), self._body.label("valid")
        with self._body.block(f"block {valid}"):
            with self._body.block(f"block {invalid}"):
                self._validators.emit(self._body, step.module, result.type, ptr, length, invalid)
                self._body.line(f"(br {valid})")
            self._body.line(fault)  # check: fused the verdict of a check

    def _copy(self, step: Step, copy: Copy) -> None:
        (value,) = copy.operands
        source = self._home[value]
        ptr, length = self._remote[value]
        owner = step.module if step.module != STAGING else source
        records = self._imports.owner(owner).records
        self._mark(step)
        packed = self._library.caller is Caller.PYTHON and packing(copy.type, records)
        if packed and STAGING in (source, step.module):
            if source == STAGING:
                self._walked |= dict.fromkeys(self._lowerers.globals_of(copy.type, records))
                self._define_all(copy.results, self._lowerers.call(copy.type, records, step.module, ptr))
                return
            copied = self._packers.call(copy.type, records, source, ptr, length)
        else:
            copied = self._copiers.emit(self._body, copy.type, records, source, step.module, ptr, length)
        self._define(copy.results[0], copied)
        if len(copy.results) == 2:
            self._text[copy.results[1]] = length

    def _call(self, step: Step, call: Call) -> None:
        assert isinstance(call.callee, CoreCallee)
        self._mark(step)
        for value in call.results:
            self._body.declare(value.name, core_type(value.type))
        arguments = [self._text[operand] for operand in call.operands]
        names = [value.name for value in call.results]
        self._guests.call(self._body, step.module, call.callee, arguments, names)
        self._text |= {value: get(value.name) for value in call.results}

    def _host_call(self, step: Step, call: HostCall) -> None:
        """Call the host, see `marine_gen.passes.host_calls`."""
        records, number = self._imports.owner(step.module).records, self._host_calls
        self._host_calls += 1
        self._mark(step)
        arguments: list[str] = []
        for position, operand in enumerate(call.operands):
            if is_flat(operand.type):
                arguments.append(self._text[operand])
            elif packing(operand.type, records):
                self._walked |= dict.fromkeys(self._packers.globals_of(operand.type, records))
                packed = self._packers.call(operand.type, records, step.module, *self._remote[operand])
                arguments.append(self._local(f"host.{number}.{position}", packed))
            else:
                arguments += self._remote[operand]
        at = self._local(f"host.{number}.at", f"(i32.load $staging {const(FREE)})")
        text = f"(call {self._imports.host(call.callee)}{''.join(f' {item}' for item in arguments)} {at})"
        if not call.results:
            self._body.line(text)
            return
        (result,) = call.results
        if is_flat(result.type):
            self._define(result, text)
            return
        size = self._local(f"host.{number}.size", text)
        end = f"(i32.add (i32.add {at} {size}) {const(SLACK)})"
        self._body.line(f"(i32.store $staging {const(FREE)} {end})")  # check: fused room of what the host gave
        self._remote[result] = at, _staged_length(result.type, records, at, size)

    def _local(self, name: str, text: str) -> str:
        """A new local, set to an i32."""
        self._body.declare(name)
        self._body.line(f"(local.set ${name} {text})")
        return get(name)

    @contextmanager
    def _restoring(self, out: Writer) -> Iterator[None]:
        """Write, around a body, what gives walks and staging back as they were."""
        free = const(FREE)
        out.line(f"(local.set $free.before (i32.load $staging {free}))")
        for number, name in enumerate(self._walked):
            out.line(f"(local.set $before.{number} (global.get {name}))")
        yield
        for number, name in enumerate(self._walked):
            # check: fused cursors after calls of the host
            out.line(f"(global.set {name} {get(f'before.{number}')})")
        out.line(f"(i32.store $staging {free} {get('free.before')})")

    def _convert(self, step: Step, result: Value, operand: Value) -> None:
        source, target = operand.type, result.type
        assert isinstance(source, Prim)
        assert isinstance(target, Prim)
        text = self._text[operand]
        way = conversion(source, target)
        match way:
            case Conversion.TO_BOOLEAN:
                self._define(result, f"(i32.ne {text} {const(0)})")
            case Conversion.FROM_BOOLEAN | Conversion.REINTERPRET:
                self._text[result] = text
            case Conversion.WIDEN | Conversion.NARROW:
                self._resize(step, result, text, source, target)
            case _:
                assert_never(way)

    def _resize(self, step: Step, result: Value, text: str, source: Prim, target: Prim) -> None:
        width, unsigned = core_type(source), raw_codes(source) in ("I", "Q")
        low, high = INTEGER_RANGES[target]
        source_low, source_high = INTEGER_RANGES[source]
        bad = []
        if source_low < low:
            bad.append(f"({width}.lt_s {text} {const(low, width)})")
        if source_high > high:
            bad.append(f"({width}.gt_{'u' if unsigned else 's'} {text} {const(high, width)})")
        if bad:
            self._mark(step, "range", target, unsigned)
            wide = text if width == "i64" else f"(i64.extend_i32_{'u' if unsigned else 's'} {text})"
            # check: fused range of integers
            with when(self._body, bad[0] if len(bad) == 1 else f"(i32.or {bad[0]} {bad[1]})"):
                self._body.line(self._library.fault(Fault.RANGE, wide))
        if width == core_type(target):
            self._text[result] = text
        elif width == "i64":
            self._define(result, f"(i32.wrap_i64 {text})")
        else:
            self._define(result, f"(i64.extend_i32_{'u' if unsigned else 's'} {text})")


def _staged_length(ty: IType, records: Records, at: str, size: str) -> str:
    """The length or count of a value that the host left at `at`, in `size` bytes."""
    part = shape(ty)
    match part:
        case Text() | Bytes() | Struct():
            return size
        case List(element=element):
            packed = packing(ty, records)
            if packed is None:
                return f"(i32.div_u {size} {const(element.layout.size)})"
            return f"(i32.load $staging offset={packed.root.offset} align=1 {at})"
        case Flat():
            raise AssertionError(f"a {part.prim} is not staged")
        case _:
            assert_never(part)


def wasm_params(adapter: FusedAdapter) -> list[str]:
    """The Wasm parameter types of an adapter's function."""
    return [core_type(value.type) for value in adapter.params for _ in parts(value)]


def wasm_results(adapter: FusedAdapter) -> list[str]:
    """Its Wasm result types."""
    return [core_type(value.type) for value in adapter.returns]

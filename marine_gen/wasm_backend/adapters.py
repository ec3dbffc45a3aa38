"""Fused adapters as Wasm functions.

Values of adapters are locals; a remote value is a pair of pointer and length and is only moved by a copy. Every step
that can fail writes its position first. An adapter pushes its position on entry and pops it on return; after a trap the
positions tell the runtime which adapters were running.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from marine_gen.codegen.definitions import Definition
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.writer import WAT, Writer
from marine_gen.interfaces.conversions import Conversion, conversion
from marine_gen.ir.model import Call, Constant, Convert, CoreCallee, Lift, Lower, Size, StoreBlock, Value
from marine_gen.passes.model import STAGING, Copy, Frame, FusedAdapter, Step, Validate, Write, homes
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.expressions import const, get, when
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_gen.wasm_backend.validate import Validators
from marine_runtime.abi import INTEGER_RANGES, Form, is_flat, layout_of, raw_codes
from marine_runtime.adapters import DATA, ORDINAL_SHIFT, STACK_TOP, Fault
from marine_runtime.types import IType, Prim

_HERE = "here.at"
"""The local with the address of the adapter's own position; the dot keeps it apart from all values."""

Row = tuple[tuple[Frame, ...], tuple[object, ...]]
"""A row of the site table: the trail, and what the runtime needs to explain a fault there."""


@dataclass(slots=True)
class SiteTable:
    """The site table of one glue module."""

    ordinal: int
    rows: list[Row] = field(default_factory=list)
    _known: dict[Row, int] = field(default_factory=dict)

    def position(self, trail: tuple[Frame, ...], info: tuple[object, ...]) -> int:
        """The position to write for a step; equal rows are shared."""
        row = (trail, info)
        if row not in self._known:
            self._known[row] = len(self.rows)
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


class AdapterFunction:
    """Writes one adapter."""

    def __init__(
        self,
        adapter: FusedAdapter,
        symbol: str,
        imports: GlueImports,
        library: Library,
        validators: Validators,
        copiers: Copiers,
        sites: SiteTable,
    ) -> None:
        self._adapter = adapter
        self._symbol = symbol
        self._imports = imports
        self._library = library
        self._validators = validators
        self._copiers = copiers
        self._sites = sites
        self._home = homes(adapter)
        self._text: dict[Value, str] = {}  # scalars: the expression that gives them
        self._remote: dict[Value, tuple[str, str]] = {}  # remote values: expressions for pointer and length
        self._locals: list[str] = []
        self._body = Writer(WAT, 2)
        self._position = -1

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
        signature = f"{' '.join(params)}{results}".strip()
        with out.block(f"func ${self._symbol}{' ' + signature if signature else ''}"):
            out.line(f"(local ${_HERE} i32){''.join(f' (local {name})' for name in self._locals)}")
            top = const(STACK_TOP)
            out.line(f"(local.set ${_HERE} (i32.load $staging {top}))")
            with when(out, f"(i32.ge_u {get(_HERE)} {const(DATA)})"):  # check: fused depth of adapters
                out.line(self._library.fault(Fault.DEPTH))
            out.line(f"(i32.store $staging {top} (i32.add {get(_HERE)} {const(4)}))")
            out.lines += self._body.lines
            out.line(f"(i32.store $staging {top} {get(_HERE)})")
            for text in returns:
                out.line(text)
        return out.lines

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
                self._body.line(
                    f"(call {self._copiers.write(source, step.module)} {self._text[block]} {where} {length})"
                )
                self._text[ptr], self._text[size] = self._text[block], length
            case Copy():
                self._copy(step, operation)
            case Call():
                self._call(step, operation)
            case Lift() | StoreBlock() | Lower():
                raise AssertionError("`fuse` leaves no lift, store or lower")
            case _:
                assert_never(operation)

    def _mark(self, step: Step, *info: object) -> None:
        """Write the position of a step that may fail."""
        position = self._sites.position(step.trail, info)
        if position != self._position:
            self._position = position
            self._body.line(f"(i32.store $staging {get(_HERE)} {const(position)})")

    def _define(self, value: Value, text: str) -> None:
        self._locals.append(f"${value.name} {core_type(value.type)}")
        self._body.line(f"(local.set ${value.name} {text})")
        self._text[value] = get(value.name)

    def _check(self, step: Step, check: Validate) -> None:
        (result,) = check.results
        ptr = self._text[check.operands[0]]
        length = self._text[check.operands[-1]]
        self._remote[result] = ptr, length
        self._mark(step, "lift", step.module, result.type)
        if start := self._validators.start_meter(step.module, result.type):
            self._body.line(start)
        # check: fused the verdict of a check
        with when(self._body, f"(i32.eqz {self._validators.call(step.module, result.type, ptr, length, const(0))})"):
            numbers = f"(i64.extend_i32_u {ptr})", f"(i64.extend_i32_u {length})"
            self._body.line(self._library.fault(Fault.LIFT, *numbers))

    def _copy(self, step: Step, copy: Copy) -> None:
        (value,) = copy.operands
        source = self._home[value]
        ptr, length = self._remote[value]
        owner = step.module if step.module != STAGING else source
        self._mark(step)
        copied = self._copiers.call(copy.type, self._imports.owner(owner).records, source, step.module, ptr, length)
        self._define(copy.results[0], copied)
        if len(copy.results) == 2:
            self._text[copy.results[1]] = length

    def _call(self, step: Step, call: Call) -> None:
        assert isinstance(call.callee, CoreCallee)
        self._mark(step)
        arguments = " ".join(self._text[operand] for operand in call.operands)
        text = f"(call {self._imports.function(step.module, call.callee)}{' ' + arguments if arguments else ''})"
        if not call.results:
            self._body.line(text)
        elif len(call.results) == 1:
            self._define(call.results[0], text)
        else:
            self._body.line(text)
            for result in reversed(call.results):
                self._locals.append(f"${result.name} {core_type(result.type)}")
                self._body.line(f"(local.set ${result.name})")
                self._text[result] = get(result.name)

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


def wasm_params(adapter: FusedAdapter) -> list[str]:
    """The Wasm parameter types of an adapter's function."""
    return [core_type(value.type) for value in adapter.params for _ in parts(value)]


def wasm_results(adapter: FusedAdapter) -> list[str]:
    """Its Wasm result types."""
    return [core_type(value.type) for value in adapter.returns]

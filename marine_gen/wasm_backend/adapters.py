"""Fused adapters as Wasm functions.

Values of adapters are locals; a remote value is a pair of pointer and length and is only moved by a copy. Every step
that can fail writes its position first. An adapter pushes its position on entry and pops it on return; after a trap the
positions tell the runtime which adapters were running.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marine_gen.ir.model import Call, Constant, Convert, CoreCallee, Size, Value
from marine_gen.passes.model import STAGING, Copy, Frame, FusedAdapter, Step, Validate, Write, homes
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.validate import Validators
from marine_gen.wasm_backend.writer import Writer, comment, const, get
from marine_runtime.adapters import DATA, ORDINAL_SHIFT, STACK_TOP, Fault
from marine_runtime.types import INTEGER_RANGES, IType, Prim, Record, layout

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
    return str(layout(ty).carrier[0])


def parts(value: Value) -> list[str]:
    """The Wasm parameters that carry `value`."""
    if layout(value.type).code:
        return [value.name]
    return [f"{value.name}.ptr"] if isinstance(value.type, Record) else [f"{value.name}.ptr", f"{value.name}.len"]


class AdapterFunction:
    """Writes one adapter."""

    def __init__(
        self,
        adapter: FusedAdapter,
        symbol: str,
        places: GlueImports,
        checks: Validators,
        copies: Copiers,
        sites: SiteTable,
    ) -> None:
        self._adapter = adapter
        self._symbol = symbol
        self._places = places
        self._checks = checks
        self._copies = copies
        self._sites = sites
        self._home = homes(adapter)
        self._text: dict[Value, str] = {}  # scalars: the expression that gives them
        self._remote: dict[Value, tuple[str, str]] = {}  # remote values: expressions for pointer and length
        self._locals: list[str] = []
        self._body = Writer(2)
        self._position = -1

    def write(self) -> list[str]:
        """The function's lines."""
        params = []
        for value in self._adapter.params:
            names = parts(value)
            params += [f"(param ${name} {core_type(value.type)})" for name in names]
            if layout(value.type).code:
                self._text[value] = get(names[0])
            else:
                self._remote[value] = get(names[0]), get(names[-1])
        trail: tuple[Frame, ...] = ()
        for step in self._adapter.steps:
            if step.trail != trail:
                trail = step.trail
                last = trail[-1]
                where = f"{last.module}, {last.side.value} adapter of {last.function}"
                self._body.line(comment(f"{where}, #{last.index} {last.text}"))
            self._step(step)
        returns = [self._text[value] for value in self._adapter.returns]
        results = "".join(f" (result {core_type(value.type)})" for value in self._adapter.returns)
        out = Writer(1)
        signature = f"{' '.join(params)}{results}".strip()
        with out.block(f"func ${self._symbol}{' ' + signature if signature else ''}"):
            out.line(f"(local ${_HERE} i32){''.join(f' (local {name})' for name in self._locals)}")
            top = const(STACK_TOP)
            out.line(f"(local.set ${_HERE} (i32.load $staging {top}))")
            with out.when(f"(i32.ge_u {get(_HERE)} {const(DATA)})"):
                out.line(f"(call $fault {const(Fault.DEPTH)} {' '.join([const(0, 'i64')] * 3)})")
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
            case Constant(results=(result,), value=number):
                self._text[result] = const(number, core_type(result.type))
            case Size(results=(result,), operands=(operand,)):
                self._text[result] = self._remote[operand][1]
            case Convert(results=(result,), operands=(operand,)):
                self._convert(step, result, operand)
            case Validate():
                self._check(step, operation)
            case Write(results=(ptr, size), operands=(block, value)):
                self._mark(step)
                source = self._home[value]
                where, length = self._remote[value]
                self._body.line(
                    f"(call {self._copies.write(source, step.module)} {self._text[block]} {where} {length})"
                )
                self._text[ptr], self._text[size] = self._text[block], length
            case Copy():
                self._copy(step, operation)
            case Call():
                self._call(step, operation)
            case _:
                raise AssertionError(f"unknown operation {operation!r}")

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

    def _fault(self, kind: Fault, *numbers: str) -> None:
        padded = [*numbers, *[const(0, "i64")] * (3 - len(numbers))]
        self._body.line(f"(call $fault {const(kind)} {' '.join(padded)})")

    def _check(self, step: Step, check: Validate) -> None:
        (result,) = check.results
        ptr = self._text[check.operands[0]]
        length = self._text[check.operands[-1]]
        self._remote[result] = ptr, length
        self._mark(step, "lift", step.module, result.type)
        if start := self._checks.start_meter(step.module, result.type):
            self._body.line(start)
        with self._body.when(f"(i32.eqz {self._checks.call(step.module, result.type, ptr, length, const(0))})"):
            self._fault(Fault.LIFT, f"(i64.extend_i32_u {ptr})", f"(i64.extend_i32_u {length})")

    def _copy(self, step: Step, copy: Copy) -> None:
        (value,) = copy.operands
        source = self._home[value]
        ptr, length = self._remote[value]
        owner = step.module if step.module != STAGING else source
        self._mark(step)
        copied = self._copies.call(copy.type, self._places.owner(owner).records, source, step.module, ptr, length)
        self._define(copy.results[0], copied)
        if len(copy.results) == 2:
            self._text[copy.results[1]] = length

    def _call(self, step: Step, call: Call) -> None:
        assert isinstance(call.callee, CoreCallee)
        self._mark(step)
        arguments = " ".join(self._text[operand] for operand in call.operands)
        text = f"(call {self._places.function(step.module, call.callee)}{' ' + arguments if arguments else ''})"
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
        if target is Prim.BOOLEAN:
            self._define(result, f"(i32.ne {text} {const(0)})")
            return
        same_bits = {source, target} in ({Prim.I32, Prim.U32}, {Prim.I64, Prim.U64})
        if source is Prim.BOOLEAN or same_bits:
            self._text[result] = text
            return
        width, unsigned = core_type(source), source in (Prim.U32, Prim.U64)
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
            with self._body.when(bad[0] if len(bad) == 1 else f"(i32.or {bad[0]} {bad[1]})"):
                self._fault(Fault.RANGE, wide)
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

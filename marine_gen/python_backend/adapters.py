"""Adapter bodies: each operation of the IR as one or a few Python statements over named temporaries.

Operations that change nothing at run time (widening, reinterpreting, reading a result either way) are renamings and
write no code. UTF-8 of a string is made once and serves its size and its bytes.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import assert_never

from marine_gen.codegen.literals import python_string
from marine_gen.codegen.writer import MARK, Writer
from marine_gen.interfaces.conversions import Conversion, conversion
from marine_gen.ir.model import (
    AdapterIR,
    AnyOperation,
    Call,
    Constant,
    Convert,
    CoreCallee,
    Lift,
    Lower,
    Side,
    Size,
    StoreBlock,
    Value,
)
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.needs import CALLEES, CORE, Needs, own
from marine_gen.python_backend.signedness import Representation
from marine_runtime.abi import CORE_TYPES, INTEGER_RANGES, AbiHelper, Bytes, Flat, List, Struct, Text, element_of, shape
from marine_runtime.texts import identifier, identifiers
from marine_runtime.types import Array, IType, Prim, Record

_BUILTINS = frozenset(dir(builtins))
"""Names that no value gets, as the code around it may say them."""


class CoreFunctions:
    """The core functions that a generated module binds: one name per export and pair of codes."""

    def __init__(self, needs: Needs, exports: Sequence[str]) -> None:
        self._needs = needs
        self._stems = [f"core_{name}" for name in identifiers(exports)]
        self._bound: dict[int, list[tuple[str, str]]] = {}

    def name(self, index: int, params: str, results: str) -> str:
        """The name of core function `index`, called with these codes."""
        variants = self._bound.setdefault(index, [])
        if (params, results) not in variants:
            variants.append((params, results))
        variant = variants.index((params, results))
        stem = self._stems[index] + (f"_{variant + 1}" if variant else "")
        codes = f"{python_string(params)}, {python_string(results)}"
        return self._needs.binding(CORE, stem, f"{own('link')}.core({index}, {codes})")

    def allocate(self) -> str:
        """The name of the guest's `allocate`."""
        return self.name(0, *AbiHelper.ALLOCATE.codes)


class AdapterBody:
    """Writes the body of one adapter."""

    def __init__(
        self,
        adapter: AdapterIR,
        number: int,
        writer: Writer,
        helpers: Helpers,
        core: CoreFunctions,
        callees: Mapping[int, str],
    ) -> None:
        self._adapter = adapter
        self._number = number
        self._writer = writer
        self._helpers = helpers
        self._needs = helpers.needs
        self._core = core
        self._callees = callees
        self.representation = Representation(adapter)
        values = [*adapter.params, *(value for operation in adapter.operations for value in operation.results)]
        names = identifiers([value.name for value in values], _BUILTINS)
        self._names: dict[Value, str] = dict(zip(values, names, strict=True))
        self._utf8: dict[Value, str] = {}

    @property
    def params(self) -> list[str]:
        """The names of the adapter's parameters."""
        return [self._names[value] for value in self._adapter.params]

    def write(self) -> None:
        """Write all statements."""
        line = self._writer.line
        marked = -1
        before = len(self._writer.lines)
        for operation in self._adapter.operations:
            if operation.at != marked:
                marked = operation.at
                self._writer.mark(f"{self._number}:{marked}")
            self._operation(operation)
        returns = [self._returned(value) for value in self._adapter.returns]
        if returns:
            last = len(self._adapter.source) - 1
            if marked != last:
                self._writer.mark(f"{self._number}:{last}")
            line(f"return {', '.join(returns)}")
        elif not any(not text.startswith(MARK) for text in self._writer.lines[before:]):
            line("return")
        self._writer.mark("end")

    def _returned(self, value: Value) -> str:
        # An import adapter gives raw values in their own representation, an export adapter interface values.
        if self._adapter.side is Side.EXPORT and value.type in (Prim.I32, Prim.I64):
            return self._signed(value)
        return self._names[value]

    def _signed(self, value: Value) -> str:
        return self.representation.signed(value, self._names[value])

    def _unsigned(self, value: Value) -> str:
        return self.representation.unsigned(value, self._names[value])

    def _assign(self, value: Value, expression: str) -> None:
        self._writer.line(f"{self._names[value]} = {expression}")

    def _operation(self, operation: AnyOperation) -> None:
        match operation:
            case Constant(value=number):
                (result,) = operation.results
                span = 2**32 if result.type is Prim.I32 else 2**64
                unsigned = self.representation.is_unsigned(result) and number < 0
                self._names[result] = str(number + span if unsigned else number)
            case Convert():
                self._convert(operation.results[0], operation.operands[0])
            case Size():
                self._names[operation.results[0]] = f"len({self._encoded(operation.operands[0])})"
            case Lift():
                self._lift(operation.results[0], ", ".join(map(self._unsigned, operation.operands)))
            case StoreBlock():
                (ptr, size), (block, value) = operation.results, operation.operands
                data = self._encoded(value)
                block_text = self._unsigned(block)
                self._writer.line(f"{self._helpers.store()}({block_text}, {data})")
                self._names[ptr], self._names[size] = block_text, f"len({data})"
            case Lower(type=ty):
                names = ", ".join(self._names[result] for result in operation.results)
                self._writer.line(f"{names} = {self._helpers.lower(ty)}({self._names[operation.operands[0]]})")
            case Call():
                self._call(operation)
            case _:
                assert_never(operation)

    def _encoded(self, value: Value) -> str:
        """The bytes of a string or byte array."""
        if value.type is not Prim.STRING:
            return self._names[value]
        if value not in self._utf8:
            taken = {*self._names.values(), *self._utf8.values()}
            self._utf8[value] = identifier(f"{self._names[value]}_utf8", taken)
            self._writer.line(f"{self._utf8[value]} = {self._names[value]}.encode()")
        return self._utf8[value]

    def _convert(self, result: Value, operand: Value) -> None:
        source, target = operand.type, result.type
        way = conversion(source, target)
        match way:
            case Conversion.TO_BOOLEAN:
                self._assign(result, f"{self._names[operand]} != 0")
            case Conversion.FROM_BOOLEAN:
                self._assign(result, f"+{self._names[operand]}")
            case Conversion.REINTERPRET:
                self._names[result] = self._unsigned(operand) if source in CORE_TYPES else self._names[operand]
            case Conversion.WIDEN:
                self._names[result] = self._signed(operand) if source in CORE_TYPES else self._names[operand]
            case Conversion.NARROW:
                self._assign(result, self._signed(operand) if source in CORE_TYPES else self._names[operand])
                assert isinstance(target, Prim)
                low, high = INTEGER_RANGES[target]
                # check: closures range of integers in adapters
                with self._writer.block(f"if not {low} <= {self._names[result]} <= {high}:"):
                    self._writer.line(f'{self._needs.support("out_of_range")}({self._names[result]}, "{target}")')
            case _:
                assert_never(way)

    def _lift(self, result: Value, arguments: str) -> None:
        ty = result.type
        lifted = f"{self._helpers.lift(ty)}({arguments})"
        if not _nested(ty):
            self._assign(result, lifted)
            return
        # The straight-line code does not track where it is inside a value. When it fails, nothing has changed in the
        # guest, and the codec finds the same fault again, with its path.
        call_error = self._needs.support("CallError")
        if self._helpers.shares(ty):
            self._writer.line(self._helpers.start_meter())
        with self._writer.block("try:"):
            self._assign(result, lifted)
        with self._writer.block(f"except {call_error}:"):
            if isinstance(ty, Record):
                again = f"lift_record({ty.id}, {arguments})"
            else:
                again = f"lift_array({type_expression(element_of(ty), self._needs)}, {arguments})"
            self._writer.line(f"{own('link')}.codec.{again}")
            self._writer.line("raise")

    def _call(self, call: Call) -> None:
        if isinstance(call.callee, CoreCallee):
            params = self.representation.codes(call.operands)
            results = self.representation.codes(call.results)
            arguments = ", ".join(self._names[operand] for operand in call.operands)
            text = f"{self._core.name(call.callee.index, params, results)}({arguments})"
        else:
            arguments = ", ".join(
                self._signed(operand) if operand.type in (Prim.I32, Prim.I64) else self._names[operand]
                for operand in call.operands
            )
            callee = self._needs.binding(
                CALLEES, self._callees[call.callee.index], f"{own('link')}.callee({call.callee.index})"
            )
            text = f"{callee}({arguments})"
        names = ", ".join(self._names[result] for result in call.results)
        if len(call.results) == 1 and isinstance(call.callee, CoreCallee):
            names += f": {'float' if call.results[0].type in (Prim.F32, Prim.F64) else 'int'}"
        self._writer.line(f"{names} = {text}" if names else text)


def _nested(ty: IType) -> bool:
    """True if a fault can lie inside the value rather than be the value's own."""
    part = shape(ty)
    match part:
        case Flat() | Text() | Bytes() | List(element=Flat()):
            return False
        case List() | Struct():
            return True
        case _:
            assert_never(part)


def type_expression(ty: IType, needs: Needs) -> str:
    """A Python expression for `ty`, of the requested names of interface types."""
    match ty:
        case Array(element=element):
            return f"{needs.support('Array')}({type_expression(element, needs)})"
        case Record(id=index):
            return f"{needs.support('Record')}({index})"
        case Prim(name=name):
            return f"{needs.support('Prim')}.{name}"
        case _:
            assert_never(ty)

"""Adapter bodies: each operation of the IR as one or a few Python statements over named temporaries.

Operations that change nothing at run time (widening, reinterpreting, reading a result either way) are renamings and
write no code. UTF-8 of a string is made once and serves its size and its bytes.
"""

from __future__ import annotations

import re
from typing import assert_never

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
from marine_gen.python_backend.signedness import Representation
from marine_gen.python_backend.writer import Writer
from marine_runtime.abi.layout import CORE_TYPES, INTEGER_RANGES, Bytes, Flat, List, Struct, Text, shape
from marine_runtime.names import identifier, identifiers
from marine_runtime.types import Array, IType, Prim, Record

# What the frame binds around the bodies; a value whose name could hide one of these gets another name.
_FRAME = re.compile(
    r"(allocate|codec|memory|link|guard|check|class_of|locate|get_ident|len|new_block|store_bytes|out_of_range"
    r"|meter|staged_meter|staging|staging_memory|stage|explain|array|Any|Array|Callable|Prim|Record|Struct|StructError"
    r"|dataclass|iter|zip|int|float|CallError)$"
)
_FRAME_PREFIX = re.compile(r"(core|callee|export|import|entry|publish|lift|lower|body)_")


class CoreFunctions:
    """The core functions that a generated module binds: one name per export and pair of codes."""

    def __init__(self, stems: list[str]) -> None:
        self._stems = stems
        self.bound: dict[tuple[int, str, str], str] = {}

    def name(self, index: int, params: str, results: str) -> str:
        """The name of core function `index`, called with these codes."""
        key = (index, params, results)
        if key not in self.bound:
            variants = sum(1 for other in self.bound if other[0] == index)
            self.bound[key] = self._stems[index] + (f"_{variants + 1}" if variants else "")
        return self.bound[key]


class AdapterBody:
    """Writes the body of one adapter."""

    def __init__(
        self,
        adapter: AdapterIR,
        number: int,
        writer: Writer,
        helpers: Helpers,
        core: CoreFunctions,
        callees: dict[int, str],
    ) -> None:
        self._adapter = adapter
        self._number = number
        self._writer = writer
        self._helpers = helpers
        self._core = core
        self._callees = callees
        self.representation = Representation(adapter)
        values = [*adapter.params, *(value for operation in adapter.operations for value in operation.results)]
        wanted = [f"{v.name}_" if _FRAME.match(v.name) or _FRAME_PREFIX.match(v.name) else v.name for v in values]
        self._names: dict[Value, str] = dict(zip(values, identifiers(wanted), strict=True))
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
        elif not any(not text.startswith("\x00") for text in self._writer.lines[before:]):
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
                with self._writer.block(f"if not {low} <= {self._names[result]} <= {high}:"):
                    self._writer.line(f'{self._helpers.use("out_of_range")}({self._names[result]}, "{target}")')
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
        self._helpers.use("CallError")
        if self._helpers.shares(ty):
            self._writer.line(self._helpers.start_meter())
        with self._writer.block("try:"):
            self._assign(result, lifted)
        with self._writer.block("except CallError:"):
            if isinstance(ty, Record):
                self._writer.line(f"link.codec.lift_record({ty.id}, {arguments})")
            else:
                assert isinstance(ty, Array)
                self._writer.line(f"link.codec.lift_array({type_expression(ty.element)}, {arguments})")
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
            text = f"{self._callees[call.callee.index]}({arguments})"
        names = ", ".join(self._names[result] for result in call.results)
        if len(call.results) == 1 and isinstance(call.callee, CoreCallee):
            names += f": {'float' if call.results[0].type in (Prim.F32, Prim.F64) else 'int'}"
        self._writer.line(f"{names} = {text}" if names else text)


def _nested(ty: IType) -> bool:
    """Whether a fault can lie inside the value rather than be the value's own."""
    part = shape(ty)
    match part:
        case Flat() | Text() | Bytes() | List(element=Flat()):
            return False
        case List() | Struct():
            return True
        case _:
            assert_never(part)


def type_expression(ty: IType) -> str:
    """A Python expression for `ty`; the names are those of `marine_runtime.types`."""
    match ty:
        case Array(element=element):
            return f"Array({type_expression(element)})"
        case Record(id=index):
            return f"Record({index})"
        case Prim(name=name):
            return f"Prim.{name}"
        case _:
            assert_never(ty)

"""Signed or unsigned: how each core integer of an adapter is held in a Python int.

Wasm integers have no sign. Pointers, lengths and the same-width unsigned conversions want them unsigned, everything
else signed. Where a value comes out of a value buffer it can be read either way for nothing, so the choice is made
once per value, and only a value that is wanted both ways costs an operation.
"""

from __future__ import annotations

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
from marine_runtime.abi import CORE_CODES, CORE_TYPES, Flat, Kind, shape
from marine_runtime.types import IType, Prim
from marine_runtime.wasm import Codes

_BITS = {ty: part.bits for ty in CORE_TYPES if isinstance(part := shape(ty), Flat) and part.kind is not Kind.FLOAT}
"""The width of the core integers."""


class Representation:
    """The choice for every value of one adapter."""

    def __init__(self, adapter: AdapterIR) -> None:
        self._unsigned: set[Value] = set()
        self._small: set[Value] = set()  # constants that are the same number either way
        free: set[Value] = set(adapter.params) if adapter.side is Side.IMPORT else set()
        wanted_unsigned: set[Value] = set()
        wanted_signed: set[Value] = set()
        for operation in adapter.operations:
            match operation:
                case Constant(value=number):
                    if number >= 0:
                        self._unsigned.update(operation.results)
                        self._small.update(operation.results)
                    else:
                        free.update(operation.results)
                case Call(callee=CoreCallee()):
                    free.update(operation.results)
                case Size() | StoreBlock() | Lower():
                    self._unsigned.update(operation.results)
                case Convert():
                    if _reinterprets(operation) and operation.results[0].type in _BITS:
                        self._unsigned.update(operation.results)
                case Lift() | Call():
                    pass  # defines no core integer, or one that is held as the callee's adapter returns it
                case _:
                    assert_never(operation)
            for operand in operation.operands:
                if operand.type in _BITS:
                    (wanted_unsigned if _wants_unsigned(operation, operand) else wanted_signed).add(operand)
        for value in free:
            if value.type in _BITS and value in wanted_unsigned and not _must_be_signed(value, adapter):
                self._unsigned.add(value)

    def is_unsigned(self, value: Value) -> bool:
        """True if `value` is held unsigned."""
        return value in self._unsigned

    def unsigned(self, value: Value, text: str) -> str:
        """The expression for `value`, held under the name `text`, as an unsigned number."""
        # check: closures mask of signed pointers
        return text if value in self._unsigned else f"{text} & {hex(2 ** _bits(value.type) - 1)}"

    def signed(self, value: Value, text: str) -> str:
        """The expression for `value`, held under the name `text`, as a signed number."""
        if value not in self._unsigned or value in self._small:
            return text
        half = hex(2 ** (_bits(value.type) - 1))
        return f"({text} ^ {half}) - {half}"

    def codes(self, values: tuple[Value, ...]) -> Codes:
        """The codes by which `values` cross into or out of Wasm."""
        return "".join(self._code(value) for value in values)

    def _code(self, value: Value) -> str:
        codes = CORE_CODES[_prim(value.type)]
        return codes[-1] if value in self._unsigned else codes[0]


def _reinterprets(convert: Convert) -> bool:
    """True if the bits stay as they are, between a core integer and an unsigned one."""
    (operand,), (result,) = convert.operands, convert.results
    return conversion(operand.type, result.type) is Conversion.REINTERPRET


def _wants_unsigned(operation: AnyOperation, operand: Value) -> bool:
    match operation:
        case Lift():
            return True
        case StoreBlock():
            return operand is operation.operands[0]
        case Convert():
            return _reinterprets(operation)
        case Constant() | Size() | Lower() | Call():
            return False
        case _:
            assert_never(operation)


def _must_be_signed(value: Value, adapter: AdapterIR) -> bool:
    """True if a use of `value` needs the signed number; being passed to core Wasm does not."""
    for operation in adapter.operations:
        if value not in operation.operands:
            continue
        match operation:
            case Convert():
                if not _reinterprets(operation) and operation.results[0].type is not Prim.BOOLEAN:
                    return True
            case Call(callee=callee):
                if not isinstance(callee, CoreCallee):
                    return True
            case Constant() | Size() | Lift() | StoreBlock() | Lower():
                pass
            case _:
                assert_never(operation)
    return adapter.side is Side.EXPORT and value in adapter.returns


def _bits(ty: IType) -> int:
    return _BITS[_prim(ty)]


def _prim(ty: IType) -> Prim:
    assert isinstance(ty, Prim)
    return ty

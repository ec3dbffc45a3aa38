"""Signed or unsigned: how each core integer of an adapter is held in a Python int.

Wasm integers have no sign. Pointers, lengths and the same-width unsigned conversions want them unsigned, everything
else signed. Where a value comes out of a value buffer it can be read either way for nothing, so the choice is made
once per value, and only a value that is wanted both ways costs an operation.
"""

from __future__ import annotations

from marine_gen.ir.model import (
    AdapterIR,
    Call,
    Constant,
    Convert,
    CoreCallee,
    Lift,
    Lower,
    Operation,
    Side,
    Size,
    StoreBlock,
    Value,
)
from marine_runtime.types import IType, Prim
from marine_runtime.wasm import Codes

_BITS = {Prim.I32: 32, Prim.I64: 64}
_WRAPPING = {(Prim.I32, Prim.U32), (Prim.I64, Prim.U64)}


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
                case Constant(results=(result,), value=number) if number >= 0:
                    self._unsigned.add(result)
                    self._small.add(result)
                case Constant(results=(result,)) | Call(results=(result,), callee=CoreCallee()):
                    free.add(result)
                case Call(callee=CoreCallee()):
                    free.update(operation.results)
                case Size() | StoreBlock() | Lower():
                    self._unsigned.update(operation.results)
                case Convert(results=(result,), operands=(operand,)) if (operand.type, result.type) in {
                    (Prim.U32, Prim.I32),
                    (Prim.U64, Prim.I64),
                }:
                    self._unsigned.add(result)
            for operand in operation.operands:
                if operand.type in _BITS:
                    (wanted_unsigned if _wants_unsigned(operation, operand) else wanted_signed).add(operand)
        for value in free:
            if value.type in _BITS and value in wanted_unsigned and not _must_be_signed(value, adapter):
                self._unsigned.add(value)

    def is_unsigned(self, value: Value) -> bool:
        """Whether `value` is held unsigned."""
        return value in self._unsigned

    def unsigned(self, value: Value, text: str) -> str:
        """The expression for `value`, held under the name `text`, as an unsigned number."""
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
        match value.type:
            case Prim.F32:
                return "f"
            case Prim.F64:
                return "d"
            case Prim.I64:
                return "Q" if value in self._unsigned else "q"
            case _:
                return "I" if value in self._unsigned else "i"


def _wants_unsigned(operation: Operation, operand: Value) -> bool:
    match operation:
        case Lift():
            return True
        case StoreBlock(operands=(ptr, _)):
            return operand is ptr
        case Convert(results=(result,)):
            return (operand.type, result.type) in _WRAPPING
        case _:
            return False


def _must_be_signed(value: Value, adapter: AdapterIR) -> bool:
    """Whether a use of `value` needs the signed number; being passed to core Wasm does not."""
    for operation in adapter.operations:
        if value not in operation.operands:
            continue
        match operation:
            case Convert(results=(result,)) if (value.type, result.type) not in _WRAPPING:
                if result.type is not Prim.BOOLEAN:
                    return True
            case Call(callee=callee) if not isinstance(callee, CoreCallee):
                return True
    return adapter.side is Side.EXPORT and value in adapter.returns


def _bits(ty: IType) -> int:
    return _BITS[_prim(ty)]


def _prim(ty: IType) -> Prim:
    assert isinstance(ty, Prim)
    return ty

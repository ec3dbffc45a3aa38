"""The verifier: invariants of the IR, checked after building and between passes.

A failure here is a fault of this compiler, not of its input, hence an assertion error and not a diagnostic.
"""

from __future__ import annotations

from typing import assert_never

from marine_gen.interfaces import INSTRUCTIONS, InstructionKind
from marine_gen.ir.model import (
    AdapterIR,
    AnyOperation,
    Call,
    Constant,
    Convert,
    CoreCallee,
    ImportedCallee,
    Lift,
    Lower,
    ModuleIR,
    Operation,
    Side,
    Size,
    StoreBlock,
    Value,
)
from marine_runtime.abi import INTEGER_RANGES, is_flat, layout_of
from marine_runtime.types import IType, Prim, Records, equivalent, record_in

_CONVERSIONS = [(list(row.pops), list(row.pushes)) for row in INSTRUCTIONS if row.kind is InstructionKind.CONVERT]


class IRError(AssertionError):
    """The IR breaks an invariant."""


def verify_module(module: ModuleIR) -> None:
    """Check every adapter of `module`.

    Raises:
        IRError: an invariant does not hold.
    """
    callees = frozenset[CoreCallee | ImportedCallee]([*module.core, *module.callees])
    for adapter in module.adapters:
        _Verifier(module.records, callees, adapter).run()


class _Verifier:
    def __init__(self, records: Records, callees: frozenset[CoreCallee | ImportedCallee], adapter: AdapterIR) -> None:
        self._records = records
        self._adapter = adapter
        self._callees = callees
        self._defined: set[Value] = set()
        self._names: set[str] = set()

    def run(self) -> None:
        self._define(self._adapter.params)
        last = -1
        for operation in self._adapter.operations:
            self._expect(last <= operation.at < len(self._adapter.source), "instruction positions ascend", operation)
            last = operation.at
            for operand in operation.operands:
                self._expect(operand in self._defined, f"`{operand}` is defined before it is used", operation)
            self._types(operation)
            self._define(operation.results)
        for value in self._adapter.returns:
            self._expect(value in self._defined, f"returned `{value}` is defined")
        results = self._adapter.signature.results
        if self._adapter.side is Side.IMPORT:
            results = tuple(layout_of(result).carrier[0] for result in results)
        fit = len(results) == len(self._adapter.returns)
        fit = fit and all(self._same(value.type, ty) for value, ty in zip(self._adapter.returns, results, strict=True))
        self._expect(fit, "the returned values fit the signature")

    def _define(self, values: tuple[Value, ...]) -> None:
        for value in values:
            self._expect(value not in self._defined, f"`{value}` is defined once")
            self._expect(value.name not in self._names, f"the name `{value}` is unique")
            self._expect(value.name.isidentifier(), f"the name `{value}` is an identifier")
            self._defined.add(value)
            self._names.add(value.name)

    def _types(self, operation: AnyOperation) -> None:
        given = [value.type for value in operation.operands]
        made = [value.type for value in operation.results]
        i32 = Prim.I32
        self._expect(isinstance(operation, AnyOperation), "the operation is one of the IR", operation)
        match operation:
            case Constant(value=number):
                ok = not given and made in ([i32], [Prim.I64])
                ok = ok and _fits(number, made[0])
            case Convert():
                ok = (given, made) in _CONVERSIONS
            case Size():
                ok = made == [i32] and len(given) == 1 and self._same(given[0], Prim.STRING, Prim.BYTE_ARRAY)
            case Lift():
                ok = len(made) == 1 and not is_flat(made[0]) and self._known(made[0])
                ok = ok and given == list(layout_of(made[0]).carrier)
            case StoreBlock():
                ok = made == [i32, i32] and len(given) == 2 and given[0] is i32
                ok = ok and self._same(given[1], Prim.STRING, Prim.BYTE_ARRAY)
            case Lower(type=ty):
                ok = not is_flat(ty) and len(given) == 1 and self._same(given[0], ty)
                ok = ok and made == list(layout_of(ty).carrier)
            case Call(callee=callee):
                self._expect(callee in self._callees, "the callee is the module's", operation)
                params = [param.type for param in callee.type.params]
                ok = len(params) == len(given) and all(map(self._same, given, params))
                ok = ok and made == list(callee.type.results)
            case _:
                assert_never(operation)
        self._expect(ok, "operand and result types fit", operation)

    def _same(self, given: IType, *wanted: IType) -> bool:
        return any(equivalent(given, self._records, ty, self._records) for ty in wanted)

    def _known(self, ty: IType) -> bool:
        index = record_in(ty)
        return index is None or index in self._records

    def _expect(self, holds: bool, what: str, operation: Operation | None = None) -> None:
        if not holds:
            at = f" #{operation.at}" if operation else ""
            raise IRError(f"{self._adapter.side.value} adapter of `{self._adapter.function}`{at}: violated: {what}")


def _fits(number: int, ty: IType) -> bool:
    assert isinstance(ty, Prim)
    low, high = INTEGER_RANGES[ty]
    return low <= number <= high

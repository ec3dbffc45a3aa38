"""The data of the IR.

An adapter is a straight line of operations in effect order, each defining typed values that later ones use. What the
stack instructions `dup`, `swap2` and `arg.get` did is only naming, and gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from marine_gen.diagnostics import Diagnostic
from marine_gen.interfaces import Instruction
from marine_runtime.abi import Callee
from marine_runtime.types import FunctionType, IType, Records


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A typed value, defined once. Two values are equal only when they are the same one.

    Attributes:
        name: unique in its adapter; a hint for readers, not data.
    """

    name: str
    type: IType

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class CoreCallee:
    """A Wasm export of the module itself; parameters and results are its real Wasm types."""

    index: int
    name: str
    type: FunctionType


@dataclass(frozen=True, slots=True)
class ImportedCallee:
    """A function of another module, reached through that module's export adapter."""

    index: int
    callee: Callee

    @property
    def name(self) -> str:
        """`namespace.name`."""
        return f"{self.callee.namespace}.{self.callee.name}"

    @property
    def type(self) -> FunctionType:
        """The signature that the importer declares."""
        return self.callee.type


@dataclass(frozen=True, slots=True)
class Operation:
    """The base of all operations.

    Attributes:
        results: the values this operation defines.
        operands: the values it uses.
        at: position of the adapter instruction it comes from.
    """

    results: tuple[Value, ...]
    operands: tuple[Value, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Constant(Operation):
    """`iN.push`: an I32 or I64."""

    value: int


@dataclass(frozen=True, slots=True)
class Convert(Operation):
    """`x.from_y`: from the operand's type to the result's; fails when the value does not fit."""


@dataclass(frozen=True, slots=True)
class Size(Operation):
    """`string.size`, `byte_array.size`: bytes that the operand takes in memory."""


@dataclass(frozen=True, slots=True)
class Lift(Operation):
    """`*.lift_memory`: memory to value. Operands are ptr and, except for records, length."""


@dataclass(frozen=True, slots=True)
class StoreBlock(Operation):
    """`string.lower_memory`, `byte_array.lower_memory`: write (ptr, value) to a block; results are ptr and length."""


@dataclass(frozen=True, slots=True)
class Lower(Operation):
    """`array.lower_memory`, `record.lower_memory`: allocate and write; results are ptr and, for arrays, count."""

    type: IType


@dataclass(frozen=True, slots=True)
class Call(Operation):
    """`call-core`."""

    callee: CoreCallee | ImportedCallee


AnyOperation = Constant | Convert | Size | Lift | StoreBlock | Lower | Call
"""Every operation. Code that tells them apart ends in `assert_never` over this union."""


class Side(Enum):
    """The direction that an adapter faces."""

    EXPORT = "export"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class AdapterIR:
    """One adapter with its role.

    Attributes:
        side: export (called with interface values) or import (called by the guest with core values).
        function: name of the export, or `namespace.name` of the import.
        key: (namespace, name) of the Wasm import; the namespace is empty for exports.
        type_index: the adapter's type.
        signature: that type; for an import adapter the raw signature.
        params: the values that the adapter gets.
        operations: in effect order.
        returns: the values it gives back, in order.
        source: the adapter's instructions, which operations refer to by position.
    """

    side: Side
    function: str
    key: tuple[str, str]
    type_index: int
    signature: FunctionType
    params: tuple[Value, ...]
    operations: tuple[AnyOperation, ...]
    returns: tuple[Value, ...]
    source: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class LeftOutAdapter:
    """An adapter that is invalid, and left out.

    Attributes:
        key: as in `AdapterIR`; for an export, ("", its name).
        findings: its mistakes.
    """

    side: Side
    key: tuple[str, str]
    findings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class ModuleIR:
    """All adapters of one module that something can call.

    Attributes:
        left_out: the adapters that are invalid.
        core: Wasm export names by call-core index, with their real signatures.
        callees: imported functions, following `core` in the call-core index space.
    """

    name: str
    records: Records = field(default_factory=dict)
    core: tuple[CoreCallee, ...] = ()
    callees: tuple[ImportedCallee, ...] = ()
    exports: Mapping[str, AdapterIR] = field(default_factory=dict)
    imports: Mapping[tuple[str, str], AdapterIR] = field(default_factory=dict)
    left_out: tuple[LeftOutAdapter, ...] = ()

    @property
    def adapters(self) -> tuple[AdapterIR, ...]:
        """Exports, then imports."""
        return (*self.exports.values(), *self.imports.values())

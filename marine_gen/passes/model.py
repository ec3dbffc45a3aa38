"""The data of fused adapters: steps that run in several modules, over values that stay where they are.

A *remote value* is an interface value that lives out of line and is never brought into the host: it is known by where
it lies, pointer and length in the memory of one module or in the staging memory of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from marine_gen.ir.model import AnyOperation, ImportedCallee, ModuleIR, Operation, Side, Value
from marine_runtime.abi import is_flat
from marine_runtime.types import FunctionType, IType

STAGING = "\udcffstaging"
"""The place of values that come from or go to the host: the staging memory, which belongs to no module. Not even the
strangest module has a name that is not UTF-8."""


class UnfusableError(Exception):
    """An adapter that has to stay a closure; the message is the reason.

    Attributes:
        exceeding: whether it is too large to be fused.
    """

    def __init__(self, reason: str, *, exceeding: bool = False) -> None:
        super().__init__(reason)
        self.exceeding = exceeding


@dataclass(frozen=True, slots=True)
class Frame:
    """One adapter instruction that a step stands for.

    Attributes:
        module: the module of the adapter.
        side: the kind of adapter.
        function: of which function, as in `AdapterIR.function`.
        index: position of the instruction.
        text: the instruction.
    """

    module: str
    side: Side
    function: str
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """An operation and where it runs.

    Attributes:
        module: the module whose memory and core functions the operation uses; types in it use this module's record ids.
        trail: the instructions it stands for, the outermost adapter's first; more than one when it was inlined.
    """

    operation: AnyStep
    module: str
    trail: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Validate(Operation):
    """Was a lift: checks a value in the memory of `step.module` and names it. Operands are ptr and length."""


@dataclass(frozen=True, slots=True)
class Copy(Operation):
    """Was a lower: allocates in the memory of `step.module` and copies a remote value there.

    Results are ptr and, except for records, the element count or size. In the staging memory it makes a return value.
    """

    type: IType


@dataclass(frozen=True, slots=True)
class Write(Operation):
    """Was a store: copies a remote string or byte array to the block (first operand) in the memory of `step.module`."""


@dataclass(frozen=True, slots=True)
class HostCall(Operation):
    """Was a call of a function that no module of the service has: Python runs it.

    Operands that are remote lie in the memory of `step.module`; a result that is remote lies in staging.
    """

    callee: ImportedCallee


AnyStep = AnyOperation | Validate | Copy | Write | HostCall
"""Every operation before, between and after the passes."""


@dataclass(frozen=True, slots=True)
class FusedAdapter:
    """An adapter as it is compiled to Wasm.

    Attributes:
        module: the module whose adapter this is: the importer, or the exporter that the host calls.
        params: core values of an import adapter; values from the host for an export adapter, those out of line
            being remote in the staging memory.
        returns: core values; for an export adapter, scalars and the pointers and lengths of results in staging.
        reach: for modules of its steps, the modules that their guests can call, directly or not.
        signature: the interface signature for exports, the raw one for imports.
    """

    side: Side
    module: str
    function: str
    key: tuple[str, str]
    signature: FunctionType
    params: tuple[Value, ...]
    steps: tuple[Step, ...]
    returns: tuple[Value, ...]
    reach: Mapping[str, frozenset[str]] = field(default_factory=dict)


Modules = Mapping[str, ModuleIR]
"""The modules of a service by name, in load order."""


def homes(adapter: FusedAdapter) -> dict[Value, str]:
    """The place of each remote value: the module whose memory holds it, or `STAGING`."""
    found = {value: STAGING for value in adapter.params if not is_flat(value.type)}
    for step in adapter.steps:
        if isinstance(step.operation, Validate):
            found[step.operation.results[0]] = step.module
        elif isinstance(step.operation, HostCall):
            found |= {value: STAGING for value in step.operation.results if not is_flat(value.type)}
    return found

"""The data of one interface section (docs/spec/binary.md#payload).

Spans locate a thing in its source; they never take part in equality, so `parse(print(x)) == x` holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marine_gen.diagnostics import SourceSpan
from marine_gen.interfaces.instructions import Immediate, Operator
from marine_runtime.types import FunctionType, IType, RecordType


@dataclass(frozen=True, slots=True)
class Instruction:
    """An operator with its immediate: an int, a type, or None."""

    operator: Operator
    immediate: int | IType | None = None
    span: SourceSpan | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.operator.immediate is Immediate.NONE) != (self.immediate is None):
            raise ValueError(f"`{self.operator.mnemonic}` and its immediate {self.immediate!r} do not go together")

    def __str__(self) -> str:
        """The instruction as the adapter text writes it."""
        return self.operator.mnemonic if self.immediate is None else f"{self.operator.mnemonic} {self.immediate}"


@dataclass(frozen=True, slots=True)
class Import:
    """A function wanted from `namespace`, which is the import name of another module."""

    namespace: str
    name: str
    type_index: int
    span: SourceSpan | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Adapter:
    """Code for the function type at `type_index`; adapters are looked up by that index."""

    type_index: int
    instructions: tuple[Instruction, ...]
    span: SourceSpan | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Export:
    """A Wasm export function that adapters may call as `call-core` (its position in `exports`)."""

    name: str
    type_index: int
    span: SourceSpan | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Implementation:
    """Ties the core type of an import or export to the type of the adapter that implements it."""

    core_type: int
    adapter_type: int
    span: SourceSpan | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Interfaces:
    """One parsed interface section.

    Attributes:
        version: semantic version of the interface types, as text.
        types: function and record types in one index space, in order of appearance.
    """

    version: str
    types: tuple[FunctionType | RecordType, ...] = ()
    imports: tuple[Import, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    exports: tuple[Export, ...] = ()
    implementations: tuple[Implementation, ...] = ()

    @property
    def records(self) -> dict[int, RecordType]:
        """The record types by type index."""
        return {index: ty for index, ty in enumerate(self.types) if isinstance(ty, RecordType)}

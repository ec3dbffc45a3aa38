"""The parts that a component is made of, and the component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from marine_gen.wasm.signatures import Signatures
from marine_gen.wasm_backend import Caller
from marine_runtime.abi import ModulePlan
from marine_runtime.types import FunctionType, Records
from marine_runtime.wasi import WasiState

Key = tuple[str, str]
"""Namespace and name of an import."""


class CallParametersSource(Enum):
    """The source of the parameters of a call."""

    IMPORT = "import"
    EMPTY = "empty"


class Logger(Enum):
    """The destination of log messages of guests."""

    STDERR = "stderr"
    IMPORT = "import"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ComponentGlue:
    """The fused glue of a module, for a component as its caller.

    Attributes:
        wasm: the glue module.
        stub: the stub module; empty when the module has no fused imports.
        imports: the fused imports, in the order of the stub's exports.
        needs: the imports of the glue, in order: (module, export name), the name being None for its memory.
        entries: the exported functions, in the order of the entries.
        sites: the adapter of each row of the site table, as errors name it.
    """

    wasm: bytes
    stub: bytes
    imports: tuple[Key, ...]
    needs: tuple[tuple[str, str | None], ...]
    entries: tuple[str, ...]
    sites: tuple[str, ...] = ()


class Provider(Enum):
    """The provider of an import that no module of the service provides."""

    IMPORT = "a function that the component imports"
    EMPTY = "a function that returns an empty value"
    LOGGER = "the logger"
    TRAP = "a function that traps"


@dataclass(frozen=True, slots=True)
class ProvidedImport:
    """An import of a guest that is for its host.

    Attributes:
        provider: its provider.
        type: its signature; record ids refer to `records`.
        identity: tells apart functions of one name and signature, such as two programs.
        mask: the targets of log messages that are kept.
    """

    provider: Provider
    type: FunctionType = field(default_factory=FunctionType)
    records: Records = field(default_factory=dict)
    identity: str = ""
    mask: int = 0


@dataclass(frozen=True, slots=True)
class ComponentModule:
    """A module of the service.

    Attributes:
        plan: its plan.
        digest: the sha256 of its Wasm file.
        wasm: its Wasm, with a late start, see `marine_gen.wasm.late_start`.
        signatures: of `wasm`.
        glue: None when there is nothing to fuse.
        unfused: the reason of every adapter without a place in `glue`, by side and function, as in `export greeting`.
        host: the provider of imports from the host.
        wasi: its view through WASI; the directories are those of the host that are named `MODULE/NAME`.
    """

    plan: ModulePlan
    digest: str
    wasm: bytes
    signatures: Signatures
    glue: ComponentGlue | None
    unfused: Mapping[str, str]
    host: Mapping[Key, ProvidedImport] = field(default_factory=dict)
    wasi: WasiState = field(default_factory=lambda: WasiState({}, {}))


@dataclass(frozen=True, slots=True)
class ComponentOptions:
    """Options of making a component.

    Attributes:
        package: the package of its interfaces; `marine:SERVICE` when empty.
        logger: the destination of log messages.
        call_parameters: the source of the parameters of a call.
        stubs: imports of guests that trap when they are called.
        fault_import: whether the component imports a function that is told about failures.
        strict: refuse a service of which something can't be in a component, instead of leaving it out.
    """

    package: str = ""
    logger: Logger = Logger.STDERR
    call_parameters: CallParametersSource = CallParametersSource.IMPORT
    stubs: frozenset[Key] = frozenset()
    fault_import: bool = False
    strict: bool = False

    @property
    def caller(self) -> Caller:
        """The form of the glue: positions are kept for the import that is told about failures."""
        return Caller.REPORTER if self.fault_import else Caller.COMPONENT


@dataclass(frozen=True, slots=True)
class Component:
    """A component.

    Attributes:
        wasm: its bytes.
        wit: its imports and exports, as WIT.
        exports: the name of the interface that it exports.
        warnings: a sentence for everything that was left out.
    """

    wasm: bytes
    wit: str
    exports: str
    warnings: tuple[str, ...]

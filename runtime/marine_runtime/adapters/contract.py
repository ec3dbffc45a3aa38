"""The contract of engines: adapters are given a `Link` and give back `BoundAdapters`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.staging import Staging, StepInfo
from marine_runtime.calls.guard import Guard
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.typing import TYPE_CHECKING, Any, Protocol
from marine_runtime.wasm import Module
from marine_runtime.wasm.api import Codes, CoreFunction
from marine_runtime.wasm.memory import Memory

if TYPE_CHECKING:
    from marine_runtime.adapters.codec import Codec

Adapter = Callable[..., Any]
"""Internal values in; None, one internal value, or a tuple of them out."""


class Link(Protocol):
    """One module instance under construction, as its glue sees it."""

    plan: ModulePlan
    guard: Guard

    @property
    def memory(self) -> Memory:
        """The instance's first exported memory."""
        ...

    def core(self, index: int, params: Codes, results: Codes) -> CoreFunction:
        """Core export `index` of the call-core index space."""
        ...

    def callee(self, index: int) -> Adapter:
        """The export adapter of the module that provides entry `index` of the call-core index space."""
        ...

    @property
    def codec(self) -> Codec:
        """The generic codec over the instance's memory; generated code asks it to explain a failed lift."""
        ...

    def coerce(self, function: str, position: int, value: Any) -> Any:
        """Argument `position` of an exported function as an internal value; raises ArgumentError."""
        ...

    @property
    def staging(self) -> Staging:
        """The staging memory of the service; only fused glue has one."""
        ...

    def fused(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        """An export of the module's fused glue."""
        ...

    def with_glue(self, fused: FusedModules) -> Link:
        """The same module through other fused glue, which is instantiated beside its own; raises LinkError."""
        ...

    def refusal(self, function: str, row: Any) -> Exception:
        """The reason why `row` can't be the arguments of `function`."""
        ...

    def publisher(self, function: str) -> Callable[[Any], Any] | None:
        """The conversion from an export adapter's result to that of its caller; None when they are the same."""
        ...


@dataclass(frozen=True, slots=True)
class ImportAdapter:
    """An import adapter, bound: raw values by code in, raw values by code out."""

    params: Codes
    results: Codes
    run: CoreFunction


@dataclass(frozen=True, slots=True)
class BoundAdapters:
    """The adapters of one instance, ready to run.

    Attributes:
        exports: export adapters over internal values; other modules call these.
        imports: import adapters by (namespace, name).
        hosts: the host functions that the fused glue calls, by call-core index, in the order of `FusedModules.hosts`.
        entries: guarded functions over public values; users call these.
        calls: the functions that entries run, over internal values, where that is not the export adapter itself.
        batches: many calls in one entry into Wasm: argument rows in, public results or exceptions out.
    """

    exports: Mapping[str, Adapter] = field(default_factory=dict)
    imports: Mapping[tuple[str, str], ImportAdapter] = field(default_factory=dict)
    hosts: Mapping[int, CoreFunction] = field(default_factory=dict)
    entries: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    calls: Mapping[str, Adapter] = field(default_factory=dict)
    batches: Mapping[str, Callable[[list[Any]], list[Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FusedModules:
    """The Wasm side of fused glue.

    Attributes:
        glue: the glue module; None when nothing but functions that are generated later is fused.
        stub: the module that stands for the guest's imports until the glue exists, when there are fused imports.
        needs: the imports of the glue, in order: (module, export name), the name being None for its memory.
        stub_needs: the imports of the stub, in the same form; it exists before the module that it is for.
        imports: (namespace, name) of the fused imports, in the order of the stub's exports.
        hosts: the functions of the host that the glue imports, in order: call-core index, and the codes of parameters
            and results.
        sites: the site table.
        first_site: the number of its first row, where the module has other glue too.
        grows: whether functions of the module get glue later, see `Link.with_glue`.
    """

    glue: Module | None
    stub: Module | None = None
    needs: tuple[tuple[str, str | None], ...] = ()
    stub_needs: tuple[tuple[str, str | None], ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    hosts: tuple[tuple[int, Codes, Codes], ...] = ()
    sites: Sequence[StepInfo] = ()
    first_site: int = 0
    grows: bool = False


class Glue(Protocol):
    """The adapters of one module, under some engine, not yet tied to an instance."""

    engine: str

    @property
    def fused(self) -> FusedModules | None:
        """The Wasm side, when the adapters run inside Wasm."""
        ...

    @property
    def import_codes(self) -> Mapping[tuple[str, str], tuple[Codes, Codes]]:
        """Parameter and result codes of every import adapter."""
        ...

    @property
    def record_classes(self) -> Mapping[int, type]:
        """The dataclass of every record by type index."""
        ...

    def bind(self, link: Link) -> BoundAdapters:
        """Tie the adapters to an instance. Called once per instance, before anything of it runs."""
        ...

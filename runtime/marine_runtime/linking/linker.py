"""Linking: from planned, compiled modules to a running service (spec marine-runtime §1.4, §1.5).

Names are checked before anything runs. Imports of a module resolve to modules before it, to WASI, or to the host;
signatures of importer and exporter are compared here, structurally. Import adapters are bound late: a Wasm start
function that calls one gets an error, not undefined behaviour. When a module fails, everything is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marine_runtime.abi.helpers import AbiHelper
from marine_runtime.abi.plan import Callee, ModulePlan
from marine_runtime.adapters.codec import Codec
from marine_runtime.adapters.contract import Adapter, BoundAdapters, FusedModules, Glue
from marine_runtime.adapters.entry import publisher
from marine_runtime.adapters.staging import DIRECT, Staging
from marine_runtime.calls.guard import Guard
from marine_runtime.calls.limits import blaming
from marine_runtime.calls.recursion import RecursionLimit
from marine_runtime.calls.sites import attach
from marine_runtime.calls.trampoline import LateBound, not_linked, trampoline
from marine_runtime.config.model import ServiceConfig
from marine_runtime.errors import INITIALISER, ArgumentError, CallError, ExitError, LinkError, Site
from marine_runtime.host.function import GuestSide, adapt, missing_helper
from marine_runtime.host.python_module import PythonGlue, PythonModule
from marine_runtime.host.resolve import HostFunctions as HostFunctions  # others take it from here
from marine_runtime.host.resolve import HostSide
from marine_runtime.messages import counted
from marine_runtime.tracing.instrument import Instrumentation
from marine_runtime.types import CoreSignature, Records, same_signature
from marine_runtime.values.arguments import arrange
from marine_runtime.values.coerce import Binder, Coercers
from marine_runtime.wasi import Wasi
from marine_runtime.wasm import Instance, Memory, Module, Store
from marine_runtime.wasm.api import Codes, CoreFunction, signature_of
from marine_runtime.wasm.budget import TABLE_ELEMENT

_HOST_CALL = "(host function)"


@dataclass(frozen=True, slots=True)
class LinkableModule:
    """One module of a service, ready to be linked.

    Attributes:
        table_elements: how many elements its tables start with; only a memory limit needs to know.
    """

    plan: ModulePlan
    module: Module
    glue: Glue
    table_elements: int = 0


@dataclass(frozen=True, slots=True)
class LinkedModule:
    """One module of a running service; one in Python has no instance."""

    plan: ModulePlan
    glue: Glue
    instance: Instance | None
    bound: BoundAdapters


def link(parts: Sequence[LinkableModule | PythonModule], scene: LinkContext) -> dict[str, LinkedModule]:
    """Instantiate and initialise `parts` in order; the result is by module name, in the same order.

    Raises:
        LinkError: names repeat, an import has no provider, or signatures differ.
        CallError: an initialiser of a guest failed.
    """
    scene.names = [part.plan.name for part in parts]
    for name in scene.names:
        if scene.names.count(name) > 1:
            raise LinkError(f"two modules are named `{name}`")
    scene.wasi = Wasi(scene.store, scene.config, scene.names)
    for part in parts:
        scene.earlier[part.plan.name] = link_part(part, scene)
    return scene.earlier


def link_part(part: LinkableModule | PythonModule, scene: LinkContext) -> LinkedModule:
    """Instantiate and initialise one module, whose imports resolve to those that are linked; raises as `link`."""
    if isinstance(part, PythonModule):
        glue = PythonGlue(part)
        bound = scene.recorded(part.plan, glue.engine, part.bind(scene.guard, glue.record_classes))
        return LinkedModule(part.plan, glue, None, bound)
    ordinal, scene.ordinal = scene.ordinal, scene.ordinal + 1
    with blaming(scene.store.budget):
        return _link_module(part, ordinal, scene)


class LinkContext:
    """What linking one module needs of the service around it.

    Attributes:
        names: the modules of the service, in load order.
        earlier: those that are linked already.
        ordinal: number of the Wasm module that comes next, as the compiler counts them; never given twice.
        wasi: what they see of the machine.
        track: where calls are recorded, if they are.
        nesting: the calls that run inside each other.
    """

    wasi: Wasi

    def __init__(
        self,
        store: Store,
        guard: Guard,
        host_functions: HostFunctions,
        config: ServiceConfig,
        track: Instrumentation | None = None,
    ) -> None:
        self.store = store
        self.guard = guard
        self.host = HostSide(host_functions, config)
        self.config = config
        self.names: Sequence[str] = ()
        self.ordinal = 0
        self.nesting = RecursionLimit()
        self.earlier: dict[str, LinkedModule] = {}
        self.track = track

    @cached_property
    def staging(self) -> tuple[Any, Staging]:
        """The staging memory of the service, as an import and as an object; made when something is fused."""
        native, memory = self.store.new_memory(1)
        direct = DIRECT[self.store.layer.name]
        return native, Staging(memory, self.guard.judge, direct=direct, foresees=not self.store.metered)

    def recorded(self, plan: ModulePlan, engine: str, bound: BoundAdapters) -> BoundAdapters:
        """The adapters of a module as the service uses them: recorded, when it is traced."""
        return self.track.bound(plan, engine, bound) if self.track else bound


def _link_module(part: LinkableModule, ordinal: int, scene: LinkContext) -> LinkedModule:
    plan, store = part.plan, scene.store
    if part.module.wide:
        raise LinkError(f"module `{plan.name}`: its memory has 64-bit addresses; modules of a service have 32-bit ones")
    callees = [_provider(plan, callee, scene.earlier, scene.names) for callee in plan.callees]
    link = _Link(part, scene.guard, callees)
    fused = part.glue.fused
    stub = _Stub(store, fused.stub, fused.imports) if fused and fused.stub else None
    wasi = scene.wasi.connect(plan.name, part.module, {*part.glue.import_codes, *(stub.functions if stub else ())})
    imports: dict[tuple[str, str], Any] = dict(wasi.functions) if wasi else {}
    pending: dict[tuple[str, str], LateBound] = {}
    for key, signature in part.module.imports.items():
        if key in imports:
            continue
        if stub and key in stub.functions:
            imports[key] = stub.functions[key]
        elif key in part.glue.import_codes:
            pending[key] = LateBound(key)
            imports[key] = store.host_function(*part.glue.import_codes[key], pending[key].call)
        else:
            imports[key] = _outside_import(plan.name, key, signature, scene, link)
    if store.budget and not store.budget.take(TABLE_ELEMENT * part.table_elements):
        tables = f"its tables of {counted(part.table_elements, 'element')}"
        raise LinkError(f"module `{plan.name}`: there is no room for {tables}")
    try:
        link.instance = instance = store.instantiate(part.module, imports, charged=True)
    except LinkError as error:
        raise LinkError(f"module `{plan.name}`: {error}") from None
    except CallError as error:
        located = attach(error, Site(plan.name, "(start function)", INITIALISER, 0, ""))
        raise located from located.__cause__
    if wasi:
        wasi.tie(instance)
    if fused:
        native, link.staging = scene.staging
        link.calls_fused = stub is not None
    link.prepare()
    if fused:
        link.glue_instance = _instantiate_glue(plan, fused, instance, native, stub, scene)
        link.staging.add_module(ordinal, plan.name, fused.sites, lambda: link.codec)
    bound = scene.recorded(plan, part.glue.engine, part.glue.bind(link))
    for key, late in pending.items():
        late.target = trampoline(bound.imports[key].run, scene.nesting)
    for initialiser in ("_initialize", "_start"):
        if initialiser in instance.module.exports:
            run = link.core_function(initialiser, "", "")
            if scene.track:
                run = scene.track.initialiser(f"{plan.name}.{initialiser}", part.glue.engine, run)
            _initialise(plan.name, initialiser, run)
    return LinkedModule(plan, part.glue, instance, bound)


def _provider(plan: ModulePlan, callee: Callee, earlier: Mapping[str, LinkedModule], names: Sequence[str]) -> Adapter:
    """The export adapter behind `callee`, after its signature was compared with what the importer declares."""
    provider = earlier.get(callee.namespace)
    wanted = f"module `{plan.name}` imports `{callee.namespace}.{callee.name}`"
    if provider is None:
        if callee.namespace in names:
            raise LinkError(f"{wanted}, but `{callee.namespace}` comes after it: list modules in dependency order")
        raise LinkError(f"{wanted}, but there is no module `{callee.namespace}`")
    offered = provider.plan.exports.get(callee.name)
    if offered is None:
        raise LinkError(f"{wanted}, but module `{callee.namespace}` has no function `{callee.name}`")
    if not same_signature(callee.type, plan.records, offered, provider.plan.records):
        raise LinkError(
            f"{wanted} as {callee.type}, but module `{callee.namespace}` exports `{callee.name}` as {offered}"
        )
    return provider.bound.exports[callee.name]


def _outside_import(
    module: str,
    key: tuple[str, str],
    signature: CoreSignature | None,
    scene: LinkContext,
    link: _Link,
) -> Any:
    """The provider of an import without adapter: the host."""
    namespace, name = key
    where = f"module `{module}` imports `{namespace}.{name}`"
    if signature is None:
        raise LinkError(f"{where}, which is not a function; modules share nothing but functions")
    host = scene.host.resolve(module, namespace, name)
    if host is None:
        hint = " without an adapter for it" if namespace in scene.names else ""
        raise LinkError(f"{where}{hint}, and nothing provides it (no adapter, no host function, not WASI)")
    params, results = host.codes()
    if signature_of(params, results) != signature:
        raise LinkError(
            f"{where} with the Wasm signature {signature}, but the host function is {host.type}, "
            f"which needs {signature_of(params, results)}"
        )
    if host.uses_memory and not link.has_memory:
        raise LinkError(f"{where} as {host.type}, which passes values in memory, but the module exports no memory")
    site = Site(module, f"{namespace}.{name}", "import", 0, _HOST_CALL)
    if scene.track is None:
        run = adapt(host, name, link.guest_side)
    else:
        around, observe = scene.track.host(module, key, link.engine, host)
        run = around(adapt(host, name, link.guest_side, observe))
    return scene.store.host_function(params, results, trampoline(run, scene.nesting, site))


class _Stub:
    """The stub of a module: its fused imports, as calls through a table that the glue fills."""

    def __init__(self, store: Store, module: Module, keys: Sequence[tuple[str, str]]) -> None:
        def unbound(index: int) -> None:
            raise not_linked(keys[index])

        self._instance = store.instantiate(module, {("0", "unbound"): store.host_function("i", "", unbound)})
        self.functions = {key: self._instance.export(str(index)) for index, key in enumerate(keys)}

    @property
    def table(self) -> Any:
        """The table, for the glue."""
        return self._instance.export("table")


def _instantiate_glue(
    plan: ModulePlan, fused: FusedModules, instance: Instance, staging: Any, stub: _Stub | None, scene: LinkContext
) -> Instance:
    """Instantiate the fused glue of a module, which ties it to its guest and to the guests it calls."""
    imports: dict[tuple[str, str], Any] = {("0", "staging"): staging}
    if stub:
        imports["0", "table"] = stub.table
    try:
        for number, (module, name) in enumerate(fused.needs):
            owner = instance if module == plan.name else scene.earlier[module].instance
            assert owner is not None  # adapters that call Python are not fused
            imports["1", str(number)] = owner.export((owner.module.memory or "") if name is None else name)
        return scene.store.instantiate(fused.glue, imports)
    except (LinkError, KeyError) as error:
        raise LinkError(f"the fused glue of module `{plan.name}` does not fit: {error}; build again") from None


def _initialise(module: str, name: str, run: CoreFunction) -> None:
    try:
        run()
    except CallError as error:
        if name == "_start" and isinstance(error, ExitError) and error.code == 0:
            return  # a program that says it is done
        located = attach(error, Site(module, name, INITIALISER, 0, ""))
        raise located from located.__cause__


class _Link:
    """See `marine_runtime.adapters.contract.Link`."""

    def __init__(self, part: LinkableModule, guard: Guard, callees: Sequence[Adapter]) -> None:
        self.plan = part.plan
        self.guard = guard
        self.engine = part.glue.engine
        self.has_memory = part.module.memory is not None
        self._classes = part.glue.record_classes
        self._coercers = Coercers(part.plan.records)
        self._binders: dict[str, Binder] = {}
        self.instance: Instance | None = None
        self.glue_instance: Instance | None = None
        self.staging: Staging
        self.calls_fused = False  # whether the instance calls fused adapters
        self._callees = callees
        self._codec: Codec | None = None
        self._helpers: tuple[Callable[..., Any], ...] = ()

    @property
    def memory(self) -> Memory:
        assert self.instance is not None
        if self.instance.memory is None:
            raise LinkError(f"module `{self.plan.name}` exports no memory, which its adapters need")
        return self.instance.memory

    @property
    def codec(self) -> Codec:
        if self._codec is None:
            self._codec = Codec(self.memory, self.plan.records, self._helper(AbiHelper.ALLOCATE))
        return self._codec

    def guest_side(self, records: Records) -> GuestSide:
        if not self._helpers:
            raise CallError("a host function was called before linking is complete")
        allocate, set_result_ptr, set_result_size = self._helpers
        return GuestSide(Codec(self.memory, records, allocate), set_result_ptr, set_result_size)

    def prepare(self) -> None:
        """Look up now what host functions will need, so that nothing is left to find while calls run."""
        self._helpers = (
            self._helper(AbiHelper.ALLOCATE),
            self._helper(AbiHelper.SET_RESULT_PTR),
            self._helper(AbiHelper.SET_RESULT_SIZE),
        )

    def core(self, index: int, params: Codes, results: Codes) -> CoreFunction:
        try:
            return self.core_function(self.plan.core[index], params, results)
        except LinkError as error:
            raise LinkError(f"module `{self.plan.name}`: {error}") from None

    def core_function(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        assert self.instance is not None
        run = self.instance.function(name, params, results)
        return self.staging.explaining(run) if self.calls_fused else run

    def callee(self, index: int) -> Adapter:
        return self._callees[index - len(self.plan.core)]

    def coerce(self, function: str, position: int, value: Any) -> Any:
        binder = self._binders.get(function)
        if binder is None:
            binder = self._binders[function] = Binder(
                self.plan.exports[function], self.plan.records, function=function, coercers=self._coercers
            )
        return binder.argument(position, value)

    def refusal(self, function: str, row: Any) -> Exception:
        try:
            params = self.plan.exports[function].params
            arranged = arrange(self.plan.name, function, params, row)
            for position, value in enumerate(arranged):
                self.coerce(function, position, value)
        except ArgumentError as error:
            return error
        raise AssertionError("an argument row was refused without a reason")

    def fused(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        assert self.glue_instance is not None
        return self.glue_instance.function(name, params, results)

    def publisher(self, function: str) -> Callable[[Any], Any] | None:
        return publisher(self.plan.exports[function], self.plan.records, self._classes)

    def _helper(self, helper: AbiHelper) -> Callable[..., Any]:
        assert self.instance is not None
        if self.instance.module.exports.get(helper.export) != signature_of(*helper.codes):
            return missing_helper(helper.export)
        return self.core_function(helper.export, *helper.codes)

"""Linking: from planned, compiled modules to a running service (spec marine-runtime §1.4, §1.5).

Names are checked before anything runs. Imports of a module resolve to modules before it, to WASI, or to the host;
signatures of importer and exporter are compared here, structurally. Import adapters are bound late: a Wasm start
function that calls one gets an error, not undefined behaviour. When a module fails, everything is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marine_runtime.backend import Backend, Instance, Memory, Module, Store
from marine_runtime.backend.api import Codes, CoreFunction, signature_of
from marine_runtime.backend.engine import WASI_NAMESPACE
from marine_runtime.codec import Codec
from marine_runtime.entry import publisher
from marine_runtime.errors import CallError, LinkError, Site
from marine_runtime.glue import Adapter, Bound, Glue
from marine_runtime.guard import Guard
from marine_runtime.host import GuestSide, HostFunction, adapt, missing_helper, resolve
from marine_runtime.plan import Callee, ModulePlan
from marine_runtime.sites import attach, locate
from marine_runtime.types import CoreSignature, same_signature
from marine_runtime.values import Binder, Coercers

HostFunctions = Mapping[str | tuple[str, str], HostFunction]

_HOST_CALL = "(host function)"


@dataclass(frozen=True, slots=True)
class Part:
    """One module of a service, ready to be linked."""

    plan: ModulePlan
    module: Module
    glue: Glue


@dataclass(frozen=True, slots=True)
class Linked:
    """One module of a running service."""

    plan: ModulePlan
    glue: Glue
    instance: Instance
    bound: Bound


def link(
    parts: Sequence[Part], backend: Backend, store: Store, guard: Guard, host_functions: HostFunctions
) -> dict[str, Linked]:
    """Instantiate and initialise `parts` in order; the result is by module name, in the same order.

    Raises:
        LinkError: names repeat, an import has no provider, or signatures differ.
        CallError: an initialiser of a guest failed.
    """
    names = [part.plan.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise LinkError(f"two modules are named `{name}`")
    linked: dict[str, Linked] = {}
    for part in parts:
        linked[part.plan.name] = _link_module(part, linked, names, store, guard, host_functions)
    return linked


def _link_module(
    part: Part,
    earlier: Mapping[str, Linked],
    names: Sequence[str],
    store: Store,
    guard: Guard,
    host_functions: HostFunctions,
) -> Linked:
    plan = part.plan
    callees = [_provider(plan, callee, earlier, names) for callee in plan.callees]
    link = _Link(part, guard, callees)
    imports: dict[tuple[str, str], Any] = {}
    pending: dict[tuple[str, str], _LateBound] = {}
    for key, signature in part.module.imports.items():
        if key in part.glue.import_codes:
            pending[key] = _LateBound(plan.name, key)
            imports[key] = store.host_function(*part.glue.import_codes[key], pending[key].call)
        else:
            imports[key] = _outside_import(plan.name, key, signature, names, store, link, host_functions)
    try:
        link.instance = instance = store.instantiate(part.module, imports)
    except LinkError as error:
        raise LinkError(f"module `{plan.name}`: {error}") from None
    link.prepare()
    bound = part.glue.bind(link)
    for key, late in pending.items():
        late.target = _boundary(bound.imports[key].run)
    for initialiser in ("_initialize", "_start"):
        if initialiser in instance.module.exports:
            _initialise(plan.name, initialiser, instance)
    return Linked(plan, part.glue, instance, bound)


def _provider(plan: ModulePlan, callee: Callee, earlier: Mapping[str, Linked], names: Sequence[str]) -> Adapter:
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
    names: Sequence[str],
    store: Store,
    link: _Link,
    host_functions: HostFunctions,
) -> Any:
    """The provider of an import without adapter: WASI or the host."""
    namespace, name = key
    where = f"module `{module}` imports `{namespace}.{name}`"
    if signature is None:
        raise LinkError(f"{where}, which is not a function; modules share nothing but functions")
    if namespace == WASI_NAMESPACE:
        if (found := store.wasi_function(name)) is not None:
            return found
        raise LinkError(f"{where}, which WASI preview 1 does not have")
    host = resolve(module, namespace, name, host_functions)
    if host is None:
        hint = " without an adapter for it" if namespace in names else ""
        raise LinkError(f"{where}{hint}, and nothing provides it (no adapter, no host function, not WASI)")
    params, results = host.codes()
    if signature_of(params, results) != signature:
        raise LinkError(
            f"{where} with the Wasm signature {signature}, but the host function is {host.type}, "
            f"which needs {signature_of(params, results)}"
        )
    site = Site(module, f"{namespace}.{name}", "import", 0, _HOST_CALL)
    run = adapt(host, name, lambda: link.guest_side)
    return store.host_function(params, results, _boundary(run, site))


def _boundary(run: CoreFunction, site: Site | None = None) -> CoreFunction:
    """`run` as a guest calls it: what it raises gets its places before it is parked for the outer call."""

    def call(*raw: Any) -> Any:
        try:
            return run(*raw)
        except CallError as error:
            located = attach(error, site) if site and error.site is None else locate(error)
            raise located from located.__cause__

    return call


def _initialise(module: str, name: str, instance: Instance) -> None:
    try:
        instance.function(name, "", "")()
    except CallError as error:
        raise attach(error, Site(module, name, "export", 0, f"call {name}")) from error.__cause__


class _LateBound:
    """An import adapter that exists before its instance does."""

    __slots__ = ("target",)

    def __init__(self, module: str, key: tuple[str, str]) -> None:
        def unbound(*_: Any) -> Any:
            raise CallError(
                f"module `{module}` called `{key[0]}.{key[1]}` from its Wasm start function, before linking is complete"
            )

        self.target: CoreFunction = unbound

    def call(self, *raw: Any) -> Any:
        return self.target(*raw)


class _Link:
    """See `marine_runtime.glue.Link`."""

    def __init__(self, part: Part, guard: Guard, callees: Sequence[Adapter]) -> None:
        self.plan = part.plan
        self.guard = guard
        self._classes = part.glue.record_classes
        self._coercers = Coercers(part.plan.records)
        self._binders: dict[str, Binder] = {}
        self.instance: Instance | None = None
        self._callees = callees
        self._codec: Codec | None = None
        self._side: GuestSide | None = None

    @property
    def memory(self) -> Memory:
        assert self.instance is not None
        if self.instance.memory is None:
            raise LinkError(f"module `{self.plan.name}` exports no memory, which its adapters need")
        return self.instance.memory

    @property
    def codec(self) -> Codec:
        if self._codec is None:
            self._codec = Codec(self.memory, self.plan.records, self._helper("allocate", "II", "I"))
        return self._codec

    @property
    def guest_side(self) -> GuestSide:
        if self._side is None:
            if self.instance is None:
                raise CallError("a host function was called before linking is complete")
            self._side = GuestSide(
                self.codec, self._helper("set_result_ptr", "I", ""), self._helper("set_result_size", "I", "")
            )
        return self._side

    def prepare(self) -> None:
        """Look up now what host functions will need, so that nothing is left to find while calls run."""
        if self.instance is not None and self.instance.memory is not None:
            _ = self.guest_side

    def core(self, index: int, params: Codes, results: Codes) -> CoreFunction:
        assert self.instance is not None
        try:
            return self.instance.function(self.plan.core[index], params, results)
        except LinkError as error:
            raise LinkError(f"module `{self.plan.name}`: {error}") from None

    def callee(self, index: int) -> Adapter:
        return self._callees[index - len(self.plan.core)]

    def check(self, function: str, position: int, value: Any) -> Any:
        binder = self._binders.get(function)
        if binder is None:
            binder = self._binders[function] = Binder(
                self.plan.exports[function], self.plan.records, function=function, coercers=self._coercers
            )
        return binder.argument(position, value)

    def publisher(self, function: str) -> Callable[[Any], Any] | None:
        return publisher(self.plan.exports[function], self.plan.records, self._classes)

    def _helper(self, name: str, params: Codes, results: Codes) -> Callable[..., Any]:
        assert self.instance is not None
        if self.instance.module.exports.get(name) != signature_of(params, results):
            return missing_helper(name)
        return self.instance.function(name, params, results)

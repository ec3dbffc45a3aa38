"""Linking: from planned, compiled modules to instances that call each other (docs/spec/linking.md).

Names are checked before anything runs. Imports of a module resolve to modules before it, to WASI, or to the host;
signatures of importer and exporter are compared here, structurally. A Wasm module is linked in six steps:

1. resolve its callees, the functions that it imports from other modules;
2. collect what provides its imports: stubs, WASI, adapters that are bound later, host functions;
3. instantiate it, which runs its start function;
4. instantiate the glue of the fused engine, which ties it to its guest and to the guests that it calls;
5. bind its adapters, and point the imports of step 2 to them: until now calling one is an error, not undefined
   behaviour;
6. run its initialisers.

When a step fails, everything is freed with the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from marine_runtime.abi.host_api import WASI_PREFIX
from marine_runtime.abi.plan import Callee, LeftOut, ModulePlan
from marine_runtime.adapters.contract import Adapter, BoundAdapters, FusedModules
from marine_runtime.calls.limits import blaming
from marine_runtime.calls.sites import attach
from marine_runtime.calls.trampoline import Trampoline
from marine_runtime.errors import INITIALISER, CallError, ExitError, LinkError, Site
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import TYPE_CHECKING, Any
from marine_runtime.linking.context import LinkableModule, LinkContext, LinkedModule
from marine_runtime.linking.glue import LaterGlue, needs_of_glue
from marine_runtime.linking.instance import ModuleLink
from marine_runtime.texts.messages import counted
from marine_runtime.types import CoreSignature, same_signature
from marine_runtime.wasm import Instance
from marine_runtime.wasm.api import CoreFunction, codes_of, signature_of
from marine_runtime.wasm.budget import TABLE_ELEMENT

if TYPE_CHECKING:
    from marine_runtime.adapters.host_glue import HostGlue
    from marine_runtime.host.python_module import PythonModule
    from marine_runtime.linking.stub import ImportStub
    from marine_runtime.wasi import Connection

_HOST_CALL = "(host function)"

_ImportKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Imports:
    """The providers of the imports of a module.

    Attributes:
        functions: all of them by (namespace, name).
        late: the import adapters that have no target yet.
        stub: provides fused imports, if there are any.
        wasi: provides WASI, if the module uses it.
        hosts: provides host functions with values in memory, if adapters are fused.
    """

    functions: Mapping[_ImportKey, Any]
    late: Mapping[_ImportKey, Trampoline]
    stub: ImportStub | None
    wasi: Connection | None
    hosts: HostGlue | None


def link(modules: Sequence[LinkableModule | PythonModule], context: LinkContext) -> None:
    """Link `modules` in order; raises as `link_module`."""
    for module in modules:
        link_module(module, context)


def link_module(module: LinkableModule | PythonModule, context: LinkContext) -> None:
    """Instantiate and initialise one module, whose imports resolve to those that are linked, and add it to them.

    Raises:
        LinkError: an import has no provider, or signatures differ.
        CallError: an initialiser of a guest failed.
    """
    if not isinstance(module, LinkableModule):
        linked = _link_python_module(module, context)
    else:
        ordinal = context.take_ordinal()
        with blaming(context.store.budget):
            linked = _link_wasm_module(module, ordinal, context)
    context.linked[module.plan.name] = linked


def _link_python_module(module: PythonModule, context: LinkContext) -> LinkedModule:
    from marine_runtime.host.python_module import PythonGlue

    glue = PythonGlue(module)
    bound = module.bind(context.guard, glue.record_classes)
    return LinkedModule(module.plan, glue, None, context.instrumented(module.plan, glue.engine, bound))


def _link_wasm_module(module: LinkableModule, ordinal: int, context: LinkContext) -> LinkedModule:
    """The six steps; see the text of this file."""
    link = ModuleLink(module, context.guard, _resolve_callees(module, context))
    imports = _provide_imports(module, ordinal, link, context)
    instance = _instantiate(module, imports, link, context)
    hosts = _instantiate_glue(module, ordinal, instance, imports.stub, link, context)
    bound = _bind(module, imports, hosts, link, context)
    _initialise(module, instance, link, context)
    return LinkedModule(module.plan, module.glue, instance, bound)


def _resolve_callees(module: LinkableModule, context: LinkContext) -> list[Callable[[], Adapter]]:
    """Step 1: functions that give the export adapters that the module imports from other modules."""
    plan = module.plan
    if module.wasm.wide:  # check: linking wide memories
        raise LinkError(f"module `{plan.name}`: its memory has 64-bit addresses; modules of a service have 32-bit ones")
    broken = {(item.namespace, item.name): item for item in plan.left_out if item.namespace}
    found = []
    for callee in plan.callees:
        left_out = broken.get((callee.namespace, callee.name))
        found.append(
            _provider(plan, callee, context.linked, context.names)
            if left_out is None
            else partial(_refusing, plan.name, left_out)
        )
    return found


def _provider(
    plan: ModulePlan, callee: Callee, linked: Mapping[str, LinkedModule], names: Sequence[str]
) -> Callable[[], Adapter]:
    """A function that gives the export adapter behind `callee`, whose signature is the one that the importer declares.

    It is made when it is called first; fused glue calls few of them.
    """
    provider = linked.get(callee.namespace)
    wanted = f"module `{plan.name}` imports `{callee.namespace}.{callee.name}`"
    if provider is None:
        if callee.namespace in names:
            raise LinkError(f"{wanted}, but `{callee.namespace}` comes after it: list modules in dependency order")
        raise LinkError(f"{wanted}, but there is no module `{callee.namespace}`")
    offered = provider.plan.exports.get(callee.name)
    if offered is None and (left_out := provider.plan.unusable_export(callee.name)):
        return partial(_refusing, callee.namespace, left_out)
    if offered is None:
        raise LinkError(f"{wanted}, but module `{callee.namespace}` has no function `{callee.name}`")
    # check: linking signatures of modules
    if not same_signature(callee.type, plan.records, offered, provider.plan.records):
        raise LinkError(
            f"{wanted} as {callee.type}, but module `{callee.namespace}` exports `{callee.name}` as {offered}"
        )
    exports = provider.bound.exports
    return lambda: exports[callee.name]


def _refusing(module: str, left_out: LeftOut) -> Adapter:
    """The place of a function of `module` whose adapter was left out."""

    def refuse(*_: Any) -> Any:
        raise left_out.error(module)

    return refuse


def _provide_imports(module: LinkableModule, ordinal: int, link: ModuleLink, context: LinkContext) -> _Imports:
    """Step 2: something to import for each import of the module."""
    name, store, fused, codes = module.plan.name, context.store, module.glue.fused, module.glue.import_codes
    stub = _stub(name, fused, context) if fused and fused.stub else None
    wasi = None
    if any(namespace.startswith(WASI_PREFIX) for namespace, _ in module.wasm.import_order):
        wasi = context.wasi.connect(name, module.wasm, {*codes, *(stub.functions if stub else ())})
    functions: dict[_ImportKey, Any] = dict(wasi.functions) if wasi else {}
    late: dict[_ImportKey, Trampoline] = {}
    hosts: HostGlue | None = None
    for key, signature in module.wasm.imports.items():
        if key in functions:
            continue
        if stub and key in stub.functions:
            functions[key] = stub.functions[key]
        elif key in codes:
            late[key] = Trampoline.late(key, context.recursion)
            functions[key] = store.host_function(*codes[key], late[key].call)
        elif signature and signature.is_numeric and (left_out := module.plan.unusable_import(*key)):
            run = Trampoline(_refusing(name, left_out), context.recursion)
            functions[key] = store.host_function(*codes_of(signature), run.call)
        else:
            if fused and hosts is None:
                from marine_runtime.adapters.host_glue import HostGlue

                hosts = HostGlue(name, ordinal)
            functions[key] = _host_import(name, key, signature, context, link, hosts)
    if hosts:
        functions |= hosts.instantiate(store, context.staging)
    return _Imports(functions, late, stub, wasi, hosts)


def _host_import(
    module: str,
    key: _ImportKey,
    signature: CoreSignature | None,
    context: LinkContext,
    link: ModuleLink,
    hosts: HostGlue | None,
) -> Any:
    """The host function behind an import that has no adapter."""
    from marine_runtime.host.function import adapt
    from marine_runtime.host.staged import adapt_staged, places_results

    namespace, name = key
    where = f"module `{module}` imports `{namespace}.{name}`"
    if signature is None:
        raise LinkError(f"{where}, which is not a function; modules share nothing but functions")
    host = context.host.resolve(module, context.config.module(module), namespace, name)
    if host is None:
        hint = " without an adapter for it" if namespace in context.names else ""
        raise LinkError(f"{where}{hint}, and nothing provides it (no adapter, no host function, not WASI)")
    params, results = host.codes()
    if signature_of(params, results) != signature:  # check: linking signature of a host function
        raise LinkError(
            f"{where} with the Wasm signature {signature}, but the host function is {host.type}, "
            f"which needs {signature_of(params, results)}"
        )
    if host.uses_memory and not link.has_memory:  # check: linking memory for a host function
        raise LinkError(f"{where} as {host.type}, which passes values in memory, but the module exports no memory")
    site = Site(module, f"{namespace}.{name}", "import", 0, _HOST_CALL)
    around, observe = None, None
    if context.instrumentation is not None:
        around, observe = context.instrumentation.host(module, key, link.engine, host)
    staged = hosts is not None and host.uses_memory and host.raw is None
    if hosts is not None and staged:
        params, results = hosts.add(host.type, host.records, (params, results), site)
        run = adapt_staged(host, name, link.guest_side, context.staging[1], lambda: hosts.linked, observe)
    else:
        run = adapt(host, name, link.guest_side, observe)
    link.calls_host = True
    link.places_results |= places_results(host, staged=staged)
    native = context.store.host_function(
        params, results, Trampoline(around(run) if around else run, context.recursion, site).call
    )
    if hosts is not None and staged:
        hosts.provide(key, native)
    return native


def _instantiate(module: LinkableModule, imports: _Imports, link: ModuleLink, context: LinkContext) -> Instance:
    """Step 3: the instance, which the budget pays for; its start function runs here."""
    name, store = module.plan.name, context.store
    if store.budget and not store.budget.take(TABLE_ELEMENT * module.table_elements):
        tables = f"its tables of {counted(module.table_elements, 'element')}"
        raise LinkError(f"module `{name}`: there is no room for {tables}")
    try:
        before_start = imports.wasi.tie if imports.wasi else None
        instance = store.instantiate(module.wasm, imports.functions, charged=True, before_start=before_start)
    except LinkError as error:
        raise LinkError(f"module `{name}`: {error}") from None
    except CallError as error:
        located = attach(error, Site(name, "(start function)", INITIALISER, 0, ""))
        raise located from located.__cause__
    staging = context.staging[1] if module.glue.fused else None
    hosts = imports.hosts or None
    link.attach_instance(instance, staging, calls_fused=imports.stub is not None or hosts is not None)
    if link.calls_host and link.has_memory and link.has_result_helpers:
        if link.places_results:
            link.attach_placer(store, context.images)
        if hosts:
            hosts.attach(store, context.staging, instance, lambda: link.codec)
    return instance


def _instantiate_glue(
    module: LinkableModule,
    ordinal: int,
    instance: Instance,
    stub: ImportStub | None,
    link: ModuleLink,
    context: LinkContext,
) -> Sequence[Trampoline]:
    """Step 4: the glue of the fused engine, if it is that; gives what it calls of the host, which has no target yet."""
    fused = module.glue.fused
    if fused is None:
        return ()
    native, staging = context.staging
    name = module.plan.name
    imports: dict[_ImportKey, Any] = {("0", "staging"): native}
    if stub and fused.glue:
        imports |= stub.ties(fused.glue)
    hosts: list[Trampoline] = []
    try:
        imports |= needs_of_glue(name, fused.needs, instance, context.linked)
        for number, (index, params, results) in enumerate(fused.hosts):
            callee = module.plan.callee(index)
            hosts.append(Trampoline.late((callee.namespace, callee.name), context.recursion))
            imports["2", str(number)] = context.store.host_function(params, results, hosts[-1].call)
        if fused.glue:
            link.attach_glue(context.store.instantiate(fused.glue, imports))
    except (LinkError, LookupError) as error:
        raise LinkError(f"the fused glue of module `{name}` does not fit: {error}; build again") from None
    staging.add_module(ordinal, name, fused.sites, lambda: link.codec)
    if fused.grows:
        before, store = dict(context.linked), context.store
        link.attach_later_glue(LaterGlue(name, ordinal, instance, before, store, context.staging))
    return hosts


def _stub(name: str, fused: FusedModules, context: LinkContext) -> ImportStub:
    """The provider of the fused imports of a module; adapters in it need other modules alone."""
    from marine_runtime.linking.stub import ImportStub

    assert fused.stub is not None
    imports: dict[_ImportKey, Any] = {("0", "staging"): context.staging[0]}
    try:
        imports |= needs_of_glue(name, fused.stub_needs, None, context.linked)
        return ImportStub(context.store, fused.stub, fused.imports, imports)
    except (LinkError, KeyError) as error:
        raise LinkError(f"the fused stub of module `{name}` does not fit: {error}; build again") from None


def _bind(
    module: LinkableModule, imports: _Imports, hosts: Sequence[Trampoline], link: ModuleLink, context: LinkContext
) -> BoundAdapters:
    """Step 5: the adapters, over the instance; imports that waited for them get their targets."""
    bound = context.instrumented(module.plan, module.glue.engine, module.glue.bind(link))
    for key, late in imports.late.items():
        late.run = bound.imports[key].run
    for late, run in zip(hosts, bound.hosts.values(), strict=True):
        late.run = run
    return bound


def _initialise(module: LinkableModule, instance: Instance, link: ModuleLink, context: LinkContext) -> None:
    """Step 6: the initialisers that the module exports."""
    name = module.plan.name
    for initialiser in ("_initialize", "_start"):
        if initialiser in instance.module.exports:
            try:
                run = link.core_function(initialiser, "", "")
            except LinkError as error:
                raise LinkError(f"module `{name}`: {error}") from None
            if context.instrumentation:
                run = context.instrumentation.initialiser(f"{name}.{initialiser}", module.glue.engine, run)
            _run_initialiser(name, initialiser, run)


def _run_initialiser(module: str, name: str, run: CoreFunction) -> None:
    try:
        run()
    except CallError as error:
        if name == "_start" and isinstance(error, ExitError) and error.code == 0:
            return  # a program that says it is done
        located = attach(error, Site(module, name, INITIALISER, 0, ""))
        raise located from located.__cause__

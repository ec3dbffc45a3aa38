"""From the modules of a service to a component."""

from __future__ import annotations

from collections.abc import Sequence

from marine_gen.component_backend.binary import Core, CoreItem
from marine_gen.component_backend.bridge import Bridge
from marine_gen.component_backend.errors import ComponentError
from marine_gen.component_backend.fault import reporting
from marine_gen.component_backend.frame import ComponentFrame
from marine_gen.component_backend.host import HostImports
from marine_gen.component_backend.interface import WitInterface, full_name, interface_of
from marine_gen.component_backend.logger import SIGNATURE as LOG_SIGNATURE
from marine_gen.component_backend.logger import Loggers
from marine_gen.component_backend.model import (
    Component,
    ComponentGlue,
    ComponentModule,
    ComponentOptions,
    Key,
    Provider,
)
from marine_gen.component_backend.names import check_package, kebab
from marine_gen.component_backend.wasi import WasiImports
from marine_gen.component_backend.wasi_guest import WasiGuest
from marine_gen.component_backend.wit import wit_text
from marine_runtime.texts import quoted
from marine_runtime.wasi import NAMESPACES
from marine_runtime.wasm import assemble


def make_component(
    service: str, modules: Sequence[ComponentModule], options: ComponentOptions, *, generator: str
) -> Component:
    """The component of a service.

    Args:
        service: its name.
        modules: its modules in load order; the last one is the facade.
        options: its options.
        generator: name and version for the headers of generated code.

    Raises:
        ComponentError: it can't be one; with `options.strict`, also when a part of it has to be left out.
    """
    facade = modules[-1]
    package = check_package(options.package) if options.package else _package(service)
    interface, warnings = facade_interface(package, facade)
    for module in modules:
        warnings += _unusable_imports(module)
    if options.strict and warnings:
        raise ComponentError("; ".join(warnings))
    assert facade.glue  # the interface is not empty
    bridge, made = Bridge(facade.plan.records), {}
    numbers = {name: number for number, name in enumerate(facade.glue.entries)}
    for function in interface.functions:
        made[function.name] = bridge.add(numbers[function.source], function.source, function.type)
    assembly = _Assembly(package, modules, options, generator, bridge.area)
    glue = [assembly.link(module) for module in modules][-1]
    assert glue is not None
    frame = assembly.frame
    frame.export(interface, glue, frame.bridge(assemble(bridge.text(generator)), glue, made.values()), made)
    _refuse_imported(interface, frame)
    wit = wit_text(frame.imports, [interface])
    return Component(frame.writer.encoded(), wit, interface.name, tuple(warnings))


def _refuse_imported(interface: WitInterface, frame: ComponentFrame) -> None:
    """Refuse to export an interface of a name that is imported as well: tools take the two for one."""
    name = interface.name.partition("@")[0]
    if any(item.name.partition("@")[0] == name for item in frame.imports):
        raise ComponentError(
            f"the component would import and export an interface {quoted(name)}: give the package another name, with "
            "`--package NAMESPACE:NAME`"
        )


class _Assembly:
    """The modules of a component, linked one after another.

    Attributes:
        frame: the component.
        host: its host functions.
    """

    def __init__(
        self, package: str, modules: Sequence[ComponentModule], options: ComponentOptions, generator: str, area: int
    ) -> None:
        self.host = HostImports(package, modules)
        count = len(modules)
        self._host_glue = {
            module.plan.name: self.host.glue(module, count + ordinal, generator, options.caller)
            for ordinal, module in enumerate(modules)
        }
        glue = [*(module.glue for module in modules), *self._host_glue.values()]
        sites = {ordinal: item.sites for ordinal, item in enumerate(glue) if item}
        self.frame = ComponentFrame(reporting(sites) if options.fault_import else "", area)
        self._wasi = WasiImports(self.frame)
        if self.host.used:
            text, lowered = self.host.bridge(generator)
            self.frame.host(self.host.interface, assemble(text), lowered)
        logs = any(item.provider is Provider.LOGGER for module in modules for item in module.host.values())
        self._loggers = Loggers(self.frame, self._wasi, options.logger) if logs else None

    def link(self, module: ComponentModule) -> CoreItem | None:
        """Instantiate and initialise a module; gives its glue."""
        frame = self.frame
        functions: dict[Key, CoreItem] = {}
        fused = self._stub(module.glue, functions)
        host_glue = self._host_glue[module.plan.name]
        host = self._stub(host_glue, functions)
        logs = [key for key, item in module.host.items() if item.provider is Provider.LOGGER]
        late = [LOG_SIGNATURE for _ in logs]
        logger = frame.late(late) if logs else None
        if logger is not None:
            functions |= {key: frame.core_export(logger, Core.FUNC, str(n)) for n, key in enumerate(logs)}
        wasi = WasiGuest(frame, self._wasi, module, {key for key in self._wanted(module) if key not in functions})
        functions |= wasi.functions
        self._others(module, functions)
        frame.guest(module, functions)
        wasi.tie()
        if logger is not None:
            assert self._loggers
            memory = frame.memory_of(module.plan.name) if module.signatures.memories else None
            items = [self._loggers.of(module.plan.name, module.host[key].mask, memory) for key in logs]
            frame.fill(logger, [*zip(late, items, strict=True)])
        if host_glue is not None:
            frame.glue(host_glue, host)
        glue = frame.glue(module.glue, fused) if module.glue else None
        frame.initialise(module)
        return glue

    @staticmethod
    def _wanted(module: ComponentModule) -> list[Key]:
        """The imports of WASI that nothing else provides."""
        keys = [(item.namespace, item.name) for item in module.signatures.imports]
        return [
            key for key in keys if key[0] in NAMESPACES and key not in module.plan.imports and key not in module.host
        ]

    def _stub(self, glue: ComponentGlue | None, functions: dict[Key, CoreItem]) -> CoreItem | None:
        """The stub of some glue, which adds functions to the imports of the guest."""
        if glue is None or not glue.stub:
            return None
        stub = self.frame.stub(glue)
        functions |= {key: self.frame.core_export(stub, Core.FUNC, str(n)) for n, key in enumerate(glue.imports)}
        return stub

    def _others(self, module: ComponentModule, functions: dict[Key, CoreItem]) -> None:
        """Add what provides the imports of a module that are still missing."""
        name, signatures = module.plan.name, module.signatures
        for other in signatures.other_imports:  # check: component imports that are no functions
            raise ComponentError(
                f"the module {quoted(name)} imports the {other.kind} {quoted(f'{other.namespace}.{other.name}')}; "
                "modules share nothing but functions"
            )
        missing = []
        for item in signatures.imports:
            key = item.namespace, item.name
            if key in functions:
                continue
            given = module.host.get(key)
            if (
                key in module.plan.imports
                or module.plan.unusable_import(*key)
                or (given and given.provider is Provider.TRAP)
            ):
                functions[key] = self.frame.trap(item.signature)
            else:
                missing.append(quoted(".".join(key)))
        if missing:
            raise ComponentError(f"the module {quoted(name)} imports {', '.join(missing)}, which nothing provides")


def facade_interface(package: str, facade: ComponentModule) -> tuple[WitInterface, list[str]]:
    """The interface that a component exports, and a sentence for every function of the facade that is not in it.

    Raises:
        ComponentError: a name is impossible, or nothing is left to export.
    """
    name = facade.plan.name
    usable = {
        function: ty for function, ty in facade.plan.exports.items() if f"export {function}" not in facade.unfused
    }
    interface, left_out = interface_of(full_name(package, kebab(name, "module")), usable, facade.plan.records)
    reasons = {item.name: item.reason for item in left_out}
    reasons |= {
        function: f"it can't be fused: {facade.unfused[f'export {function}']}"
        for function in facade.plan.exports
        if function not in usable
    }
    reasons |= {item.name: item.reason for item in facade.plan.left_out if not item.namespace}
    if not interface.functions:
        why = "".join(f"; {quoted(function)}: {reason}" for function, reason in reasons.items())
        raise ComponentError(f"the module {quoted(name)} has no function that a component can export{why}")
    return interface, [f"the function {quoted(item)} is left out: {reason}" for item, reason in reasons.items()]


def _package(service: str) -> str:
    try:
        return f"marine:{kebab(service, 'service')}"
    except ComponentError:
        raise ComponentError(
            f"the service {quoted(service)} has no name in a component: give the package a name, "
            "with `--package NAMESPACE:NAME`"
        ) from None


def _unusable_imports(module: ComponentModule) -> list[str]:
    """A sentence for every import of a module whose adapter can't be in the component; calls of it trap."""
    reasons = {f"{item.namespace}.{item.name}": item.reason for item in module.plan.left_out if item.namespace}
    for key in module.plan.imports:
        name = ".".join(key)
        if reason := module.unfused.get(f"import {name}"):
            reasons[name] = f"its adapter can't be fused: {reason}"
    where = f"the module {quoted(module.plan.name)}"
    return [f"{where}: the import {quoted(name)} traps when it is called: {reason}" for name, reason in reasons.items()]

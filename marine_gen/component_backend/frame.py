"""The frame of a component: instances of the modules of a service, in load order, and what ties them together.

It is the linking of `marine_runtime.linking` as data: the stub of a module gives the guest its imports, the glue fills
the stub's table, the initialisers run. A component can't call functions while it is instantiated, but an instance of a
core module can: its start function is the initialiser that it imports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from marine_gen.component_backend import late
from marine_gen.component_backend.binary import CanonOptions, ComponentWriter, Core, CoreItem, Item, Sort
from marine_gen.component_backend.bridge import BridgedFunction
from marine_gen.component_backend.errors import ComponentError
from marine_gen.component_backend.fault import INTERFACE, TRAP
from marine_gen.component_backend.host import HOST
from marine_gen.component_backend.interface import WitInterface
from marine_gen.component_backend.model import ComponentGlue, ComponentModule, Key
from marine_gen.component_backend.staging import memory, post_return, staging
from marine_gen.component_backend.types import WitTypes, instance_type
from marine_gen.component_backend.wit import Foreign
from marine_gen.wasm.lifting import kind_of
from marine_runtime.texts import quoted
from marine_runtime.types import CoreSignature
from marine_runtime.wasm import START_HOOK, assemble

_UNBOUND = '(module $unbound (func (export "unbound") (param i32) unreachable))'
_RUN = '(module $run (import "0" "initialiser" (func $initialiser)) (start $initialiser))'

INITIALISERS = (START_HOOK, "_initialize", "_start")
"""Exports that run when a module is instantiated, in order."""


class ComponentFrame:
    """Writes one component.

    Attributes:
        writer: its definitions.
        imports: the interfaces that it imports.
        memory: the staging memory.
    """

    def __init__(self, fault: str = "", area: int = 0) -> None:
        """Begin a component.

        Args:
            fault: the text of the module that reports failures, where that is wanted.
            area: the bytes of staging that have a fixed place.
        """
        self.writer = ComponentWriter()
        self._modules: dict[str, CoreItem] = {}  # by text
        self.imports: list[WitInterface | Foreign] = []
        self._resources: dict[tuple[int, str], Item] = {}
        self._imported: dict[str, Item] = {}
        self._host: CoreItem | None = None
        self._guests: dict[str, tuple[ComponentModule, CoreItem]] = {}
        self.memory = self.core_export(self.instance_of(memory(area), {}), Core.MEMORY, "memory")
        self._fault = self.core_export(self._faulting(fault), Core.FUNC, "fault")
        self._staging = self.instance_of(staging(area), {"0": {"staging": self.memory, "fault": self._fault}})
        self._stage = self.staging("stage")

    # Small steps

    def instance_of(self, text: str, imports: Mapping[str, Mapping[str, CoreItem]]) -> CoreItem:
        """An instance of a module that is given as text; equal modules are written once."""
        if text not in self._modules:
            self._modules[text] = self.writer.module(assemble(text))
        return self._instantiate(self._modules[text], imports)

    def core_export(self, instance: CoreItem, sort: Core, name: str) -> CoreItem:
        """A definition that a core instance exports."""
        return self.writer.core_export(instance, sort, name)

    def _instantiate(self, module: CoreItem, imports: Mapping[str, Mapping[str, CoreItem]]) -> CoreItem:
        return self.writer.instantiate(
            module, {namespace: self.writer.bundle(items) for namespace, items in imports.items()}
        )

    def _faulting(self, fault: str) -> CoreItem:
        """The instance that ends a call."""
        if not fault:
            return self.instance_of(TRAP, {})
        instance = self.import_interface(INTERFACE, instance_type(INTERFACE))
        (function,) = INTERFACE.functions
        report = self.writer.export_of(instance, Sort.FUNC, function.name)
        lowered = self.writer.lower(report, CanonOptions(self.memory))
        return self.instance_of(fault, {"0": {"staging": self.memory}, "1": {function.name: lowered}})

    def staging(self, name: str) -> CoreItem:
        """A function of the staging module."""
        return self.core_export(self._staging, Core.FUNC, name)

    @property
    def shared(self) -> dict[str, CoreItem]:
        """The items of the component that glue and bridges import."""
        return {"staging": self.memory, "stage": self._stage, "fault": self._fault}

    def import_interface(self, interface: WitInterface | Foreign, ty: bytes) -> Item:
        """An instance that the component imports, of an encoded type; one name is imported once."""
        name = interface.name
        if name not in self._imported:
            self.imports.append(interface)
            self._imported[name] = self.writer.import_instance(name, self.writer.type(ty))
        return self._imported[name]

    def resource(self, instance: Item, name: str) -> Item:
        """A resource type of an imported instance."""
        key = instance.index, name
        if key not in self._resources:
            self._resources[key] = self.writer.export_of(instance, Sort.TYPE, name)
        return self._resources[key]

    def lowered(self, interface: WitInterface) -> dict[str, CoreItem]:
        """The functions of an interface that the component imports, as core functions over staging."""
        instance = self.import_interface(interface, instance_type(interface))
        options = CanonOptions(self.memory, self.staging("realloc"))
        return {
            item.name: self.writer.lower(self.writer.export_of(instance, Sort.FUNC, item.name), options)
            for item in interface.functions
        }

    def late(self, signatures: Sequence[CoreSignature]) -> CoreItem:
        """A stub of functions that are given to `fill` later."""
        return self.instance_of(late.stub(signatures), {})

    def fill(self, stub: CoreItem, functions: Sequence[tuple[CoreSignature, CoreItem]]) -> None:
        """Give the functions behind a stub of `late`."""
        text = late.fill([signature for signature, _ in functions])
        given = {str(number): item for number, (_, item) in enumerate(functions)}
        self.instance_of(text, {"0": {"table": self.core_export(stub, Core.TABLE, "table")}, "1": given})

    def trap(self, signature: CoreSignature) -> CoreItem:
        """A function that traps.

        Raises:
            ComponentError: its type can't be written down.
        """
        if "ref" in (*signature.params, *signature.results):
            raise ComponentError(f"an import of the type {signature} can't be left out: it has references to types")
        text = f'(module $trap (func (export "trap"){late.declared(signature)} unreachable))'
        return self.core_export(self.instance_of(text, {}), Core.FUNC, "trap")

    # Modules of the service

    def stub(self, glue: ComponentGlue) -> CoreItem:
        """The stub of a module with fused imports."""
        unbound = self.core_export(self.instance_of(_UNBOUND, {}), Core.FUNC, "unbound")
        return self._instantiate(self.writer.module(glue.stub), {"0": {"unbound": unbound}})

    def guest(self, module: ComponentModule, functions: Mapping[Key, CoreItem]) -> CoreItem:
        """The instance of a module; `functions` are its imports."""
        imports: dict[str, dict[str, CoreItem]] = {}
        for (namespace, name), item in functions.items():
            imports.setdefault(namespace, {})[name] = item
        instance = self._instantiate(self.writer.module(module.wasm), imports)
        self._guests[module.plan.name] = module, instance
        return instance

    def memory_of(self, module: str, name: str = "") -> CoreItem:
        """A memory of a guest by name; without one, that which its adapters work with.

        Raises:
            ComponentError: it exports none, or one that adapters can't work with.
        """
        found, instance = self._guests[module]
        if not found.signatures.memories:
            raise ComponentError(f"the module {quoted(module)} exports no memory")
        name = name or found.signatures.memories[0]
        if reason := found.signatures.unusable_memories.get(name):  # check: component memories
            raise ComponentError(f"the memory {quoted(name)} of the module {quoted(module)} can't be used: {reason}")
        return self.core_export(instance, Core.MEMORY, name)

    def item_of(self, module: str, name: str) -> CoreItem:
        """An export of a guest for its glue; functions of `HOST` are of the staging module, or of the host's bridge."""
        if module == HOST:
            if self._host is not None and name not in ("mark", "release"):
                return self.core_export(self._host, Core.FUNC, name)
            return self.staging(name)
        return self.core_export(self._guests[module][1], Core(kind_of(name)), name)

    def glue(self, glue: ComponentGlue, stub: CoreItem | None) -> CoreItem:
        """The glue of a module whose guest is there."""
        service = self.shared
        if stub is not None:
            service["table"] = self.core_export(stub, Core.TABLE, "table")
        needs = {
            str(number): self.memory_of(owner) if name is None else self.item_of(owner, name)
            for number, (owner, name) in enumerate(glue.needs)
        }
        return self._instantiate(self.writer.module(glue.wasm), {"0": service, "1": needs} if needs else {"0": service})

    def initialise(self, module: ComponentModule) -> None:
        """Run the initialisers of a guest.

        Raises:
            ComponentError: one takes or returns something.
        """
        for name in INITIALISERS:
            signature = module.signatures.exports.get(name)
            if signature is not None:
                if signature != CoreSignature():  # check: component initialisers
                    raise ComponentError(
                        f"the initialiser {quoted(name)} of the module {quoted(module.plan.name)} has the Wasm "
                        f"signature {signature}; one takes and returns nothing"
                    )
                self.instance_of(_RUN, {"0": {"initialiser": self.item_of(module.plan.name, name)}})

    def host(self, interface: WitInterface | None, wasm: bytes, functions: Mapping[int, str]) -> None:
        """Import the host functions and lower them for their bridge, by number."""
        found = {} if interface is None else self.lowered(interface)
        lowered = {str(number): found[name] for number, name in functions.items()}
        imports = {"0": self.shared, "host": lowered} if lowered else {"0": self.shared}
        self._host = self._instantiate(self.writer.module(wasm), imports)

    # Exports

    def bridge(self, wasm: bytes, glue: CoreItem, functions: Iterable[BridgedFunction]) -> CoreItem:
        """The bridge over the entries of the facade's glue."""
        entries = {item.entry: self.core_export(glue, Core.FUNC, item.entry) for item in functions if item.export}
        return self._instantiate(self.writer.module(wasm), {"0": self.shared, "glue": entries})

    def export(
        self, interface: WitInterface, glue: CoreItem, bridge: CoreItem, functions: Mapping[str, BridgedFunction]
    ) -> None:
        """Lift the functions of the bridge, or entries of the glue, by component name; export them as an interface."""
        writer = self.writer
        types = WitTypes(interface, lambda content: writer.type(content).index, lambda _, index: index)
        realloc = self.staging("realloc")
        lifted: dict[str, Item] = {}
        for function in interface.functions:
            ty = Item(Sort.TYPE, types.function(function))
            made = functions[function.name]
            done = self.staging(post_return(made.results)) if made.stages else None
            options = CanonOptions(self.memory, realloc, done)
            owner, export = (bridge, made.export) if made.export else (glue, made.entry)
            lifted[function.name] = writer.lift(self.core_export(owner, Core.FUNC, export), ty, options)
        inner = writer.component(_interface_component(interface))
        given = [(f"import-type-{name}", Item(Sort.TYPE, index)) for name, index in types.records.items()]
        given += [(f"import-func-{name}", item) for name, item in lifted.items()]
        writer.export(interface.name, writer.instance(inner, given))


def _interface_component(interface: WitInterface) -> bytes:
    """A component that imports types and functions and exports them: an interface has no other way to be exported."""
    writer = ComponentWriter()

    def define(content: bytes) -> int:
        return writer.type(content).index

    def imported(name: str, index: int) -> int:
        return writer.import_type(f"import-type-{name}", Item(Sort.TYPE, index)).index

    def exported(name: str, index: int) -> int:
        return writer.export(name, Item(Sort.TYPE, index)).index

    types = WitTypes(interface, define, imported)
    functions = [
        writer.import_function(f"import-func-{item.name}", Item(Sort.TYPE, types.function(item)))
        for item in interface.functions
    ]
    types = WitTypes(interface, define, exported)
    for item, function in zip(interface.functions, functions, strict=True):
        writer.export(item.name, function, Item(Sort.TYPE, types.function(item)))
    return writer.encoded()

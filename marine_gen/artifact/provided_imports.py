"""Imports of guests that are for the host of a component: found as the runtime finds them, for their types alone."""

from __future__ import annotations

from collections.abc import Sequence

from marine_gen.component_backend import (
    CallParametersSource,
    ComponentError,
    ComponentModule,
    ComponentOptions,
    ProvidedImport,
    Provider,
)
from marine_gen.wasm.signatures import CoreImport, Signatures
from marine_runtime import HostFunctions, ServiceConfig
from marine_runtime.abi import HOST_NAMESPACES, ModulePlan
from marine_runtime.host import BUILT_IN, CALL_PARAMETERS, LOGGER, WASI_NAMESPACES, HostSide, host_functions
from marine_runtime.texts import quoted
from marine_runtime.wasi import WasiState
from marine_runtime.wasm import signature_of

Key = tuple[str, str]


class ProvidedImports:
    """The providers of imports that no module of a service provides."""

    def __init__(self, config: ServiceConfig, options: ComponentOptions, functions: HostFunctions) -> None:
        """Take what the configuration and the embedder say about host functions.

        Raises:
            ArgumentError: one of `functions` is not a function with types.
        """
        self._config = config
        self._options = options
        self._given = host_functions(functions)
        self._host = HostSide(functions)

    def of(self, plan: ModulePlan, signatures: Signatures) -> dict[Key, ProvidedImport]:
        """The providers of a module's imports.

        Raises:
            ComponentError: there is none for an import, or its type is not that of the import.
            LinkError: the configuration switches the logger off.
        """
        adapted = {*plan.imports, *((item.namespace, item.name) for item in plan.left_out if item.namespace)}
        found: dict[Key, ProvidedImport] = {}
        for item in signatures.imports:
            key = item.namespace, item.name
            if key in self._options.stubs:
                found[key] = ProvidedImport(Provider.TRAP)
            elif key not in adapted and item.namespace not in WASI_NAMESPACES:
                found[key] = self._provided(plan.name, item)
        return found

    def wasi(self, module: str) -> WasiState:
        """The state of a module's WASI: its own environment, nothing of the machine that makes the component.

        As in the runtime there is a variable for each directory; the host's path is not known, so it holds the name.
        """
        settings = self._config.module(module)
        return WasiState({**settings.envs, **{name: name for name in settings.mapped_dirs}}, settings.mapped_dirs)

    def refuse_unknown_stubs(self, modules: Sequence[ComponentModule]) -> None:
        """Refuse imports that are left out and that no module has.

        Raises:
            ComponentError: there is such a one.
        """
        known = {(item.namespace, item.name) for module in modules for item in module.signatures.imports}
        for key in sorted(self._options.stubs - known):
            others = sorted(".".join(item) for item in known if item[1] == key[1])
            hint = f"; available: {', '.join(map(quoted, others))}" if others else ""
            raise ComponentError(f"no module imports {quoted('.'.join(key))}, which is to be left out{hint}")

    def _provided(self, module: str, item: CoreImport) -> ProvidedImport:
        namespace, name = item.namespace, item.name
        settings = self._config.module(module)
        host = self._host.resolve(module, settings, namespace, name)
        where = f"the module {quoted(module)} imports {quoted(f'{namespace}.{name}')}"
        if host is None:
            raise ComponentError(
                f"{where}, and its type is unknown: give the function in a file, with `--host-file FILE.py`, or leave "
                f"it out, with `--stub-import {namespace}.{name}`"
            )
        if signature_of(*host.codes()) != item.signature:  # check: component signatures of host functions
            raise ComponentError(
                f"{where} with the Wasm signature {item.signature}, but the host function is {host.type}, which needs "
                f"{signature_of(*host.codes())}"
            )
        own = (namespace, name) in self._given or (namespace in HOST_NAMESPACES and name in self._given)
        if own or name not in BUILT_IN:
            program = "" if own else str(settings.mounted_binaries.get(name, ""))
            return ProvidedImport(Provider.IMPORT, host.type, host.records, program)
        if name == LOGGER:
            return ProvidedImport(Provider.LOGGER, mask=settings.logging_mask)
        assert name == CALL_PARAMETERS
        empty = self._options.call_parameters is CallParametersSource.EMPTY
        return ProvidedImport(Provider.EMPTY if empty else Provider.IMPORT, host.type, host.records)

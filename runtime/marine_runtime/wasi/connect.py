"""WASI of a running service: the directories of all modules in one store, and a shim per module that uses WASI.

Configurations are checked here, before anything runs; the native context is made when the first module asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping, Sequence

from marine_runtime.config.log_levels import effective_envs
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import CallError, ConfigError, ExitError, LinkError, LoadError
from marine_runtime.lazy.data import replace
from marine_runtime.lazy.typing import Any, NoReturn
from marine_runtime.wasi.functions import FUNCTIONS, NAMESPACES, PREVIEW1
from marine_runtime.wasi.state import DESCRIPTORS, STANDARD, WasiState, image
from marine_runtime.wasm import Instance, Memory, Module, Store

_PAGE = 0x10000
_MEMORY = "memory"


class Wasi:
    """WASI for the modules of one service.

    Attributes:
        states: the state of each module, by module name.
    """

    def __init__(self, store: Store, config: ServiceConfig, names: Sequence[str]) -> None:
        """Check the settings of the modules `names`.

        Raises:
            LoadError: a mapped directory is missing.
            ConfigError: a module maps too many directories.
        """
        self._store = store
        self._sinks: dict[str, Mapping[int, Callable[[bytes], object]]] = {}
        self.states: dict[str, WasiState] = {}
        self._opened: dict[str, int] | None = None
        for name in names:
            self.admit(name, config)

    def admit(self, name: str, config: ServiceConfig) -> None:
        """Check the settings of one more module; raises as the constructor.

        Directories are opened all at once, so once a module has used WASI, those to come can't have any.
        """
        module = config.module(name)
        envs = effective_envs(config, name, os.environ)
        if envs != module.envs:
            module = replace(module, envs=envs)
        if module.mapped_dirs and self._opened is not None:
            raise LoadError(f"module `{name}` maps directories, so it has to be loaded together with the service")
        sinks, state = _sinks(module), _state(name, module)
        self._sinks[name], self.states[name] = sinks, state

    def forget(self, name: str) -> None:
        """Forget an unloaded module; its open descriptors stay open."""
        self._sinks.pop(name, None)
        self.states.pop(name, None)

    def connect(self, name: str, module: Module, others: Container[tuple[str, str]] = ()) -> Connection | None:
        """The WASI imports of a module that is about to be instantiated; None when it has none.

        Args:
            name: the name of the module in the service.
            module: the module.
            others: imports that something else provides, whatever their namespace.

        Raises:
            LinkError: there is no such function, or it is imported with another signature.
            LoadError: a directory can't be opened.
        """
        wanted = sorted(key for key in module.imports if key[0] in NAMESPACES and key not in others)
        if not wanted:
            return None
        for namespace, function in wanted:
            _check(name, module, namespace, function)
        first = self._open().get(name, STANDARD)  # one that came later has no directories
        state = self.states[name]
        roots = dict(enumerate(state.mapped_dirs.values(), first))
        return Connection(self._store, wanted, image(state, first), self._sinks[name], roots)

    def _open(self) -> dict[str, int]:
        """Open the directories of all modules; gives the native descriptor of the first one of each."""
        if self._opened is None:
            self._opened = {}
            directories: list[str] = []
            for name, state in self.states.items():
                self._opened[name] = STANDARD + len(directories)
                directories += state.mapped_dirs.values()
            self._store.open_wasi(directories)
        return self._opened


class Connection:
    """One module and its WASI.

    Attributes:
        functions: its imports by namespace and name. They work from `tie` on, which comes before a start function;
            until then calling one is an error.
    """

    def __init__(
        self,
        store: Store,
        keys: Sequence[tuple[str, str]],
        state: bytes,
        sinks: Mapping[int, Callable[[bytes], object]],
        roots: Mapping[int, str],
    ) -> None:
        from marine_runtime.wasi import writer

        def unbound(index: int) -> None:
            namespace, function = keys[index]
            raise CallError(f"`{namespace}.{function}` was called before linking is complete")

        self._store = store
        self._keys = keys
        self._state = state
        self._sinks = sinks
        self._roots = roots
        imports = {("0", "unbound"): store.host_function("i", "", unbound)}
        self._stub = store.instantiate(store.helper(writer.stub(keys)), imports)
        self.functions = {key: self._stub.export(str(index)) for index, key in enumerate(keys)}

    def tie(self, guest: Instance) -> None:
        """Put the shim behind the imports of the module, which exists now.

        Raises:
            LinkError: its memory can't be shared.
        """
        from marine_runtime.wasi import writer
        from marine_runtime.wasi.listing import Listings
        from marine_runtime.wasi.output import capture
        from marine_runtime.wasi.pointers import refuse

        module = self._store.helper(writer.shim(self._keys, sorted(self._sinks)))
        native_state, state = self._store.new_memory(-(-len(self._state) // _PAGE))
        state.write(0, self._state)
        imports = {("0", "state"): native_state, ("0", "table"): self._stub.export("table")}
        memory, imports["0", "memory"] = self._memory(guest)
        if self._sinks:
            imports["0", "capture"] = self._store.host_function("III", "I", capture(memory, self._sinks))
        listings = Listings(self._store, memory, self._roots)
        for namespace, name in module.imports:
            if name == "exit":
                imports["0", "exit"] = self._store.host_function("I", "", _exit)
            elif name == "refuse":
                imports["0", "refuse"] = self._store.host_function("IQI", "", refuse)
            elif name == "listing":
                imports["0", "listing"] = self._store.host_function("IIIQI", "I", listings.read)
            elif name == "opened":
                imports["0", "opened"] = self._store.host_function("IIII", "", listings.opened)
            elif name == "patience":
                imports["0", "patience"] = self._store.host_function("", "q", self._store.patience)
            elif namespace == PREVIEW1:
                imports[namespace, name] = self._store.wasi_function(name)
        try:
            self._store.instantiate(module, imports)
        except LinkError as error:
            raise LinkError(f"its memory can't be used by WASI: {error}") from None

    def _memory(self, guest: Instance) -> tuple[Memory, Any]:
        """The memory that WASI uses: the one named `memory`, as WASI specifies, else the first."""
        if _MEMORY in guest.module.memories:
            native = guest.export(_MEMORY)
            return self._store.look_into(native), native
        if guest.memory is not None and guest.module.memory is not None:
            return guest.memory, guest.export(guest.module.memory)
        # Without a memory every pointer is wrong, but what needs none still works.
        native, empty = self._store.new_memory(0)
        return empty, native


def _exit(code: int) -> NoReturn:
    raise ExitError.of(code)


def _check(module_name: str, module: Module, namespace: str, name: str) -> None:
    where = f"module `{module_name}` imports `{namespace}.{name}`"
    imported = module.imports[namespace, name]
    if imported is None:
        raise LinkError(f"{where}, which is not a function; modules share nothing but functions")
    function = FUNCTIONS[namespace].get(name)
    if function is None:
        raise LinkError(f"{where}, which WASI {'preview 1' if namespace == PREVIEW1 else 'unstable'} does not have")
    if imported != function.signature:  # check: linking signature of a WASI function
        raise LinkError(f"{where} with the Wasm signature {imported}, but WASI has it as {function.signature}")


def _state(name: str, config: ModuleConfig) -> WasiState:
    """The environment of the module; variables of directories replace configured ones (docs/spec/host.md#wasi)."""
    where = f"module `{name}`"
    envs = {**config.envs, **config.mapped_dirs}
    for alias, directory in config.mapped_dirs.items():
        if not os.path.isdir(directory):
            problem = "is not a directory" if os.path.exists(directory) else "does not exist"
            raise LoadError(f"{where} maps `{alias}` to `{directory}`, which {problem}")
        if not os.access(directory, os.R_OK | os.X_OK):
            raise LoadError(f"{where} maps `{alias}` to `{directory}`, which can't be opened")
    if len(config.mapped_dirs) > DESCRIPTORS - STANDARD:
        raise ConfigError(f"{where} maps {len(config.mapped_dirs)} directories; at most {DESCRIPTORS - STANDARD} fit")
    return WasiState(envs, dict(config.mapped_dirs))


def _sinks(config: ModuleConfig) -> dict[int, Callable[[bytes], object]]:
    outputs = {1: config.stdout, 2: config.stderr}
    given = {descriptor: output for descriptor, output in outputs.items() if output is not None}
    if not given:
        return {}
    from marine_runtime.wasi.output import sink

    return {descriptor: sink(output) for descriptor, output in given.items()}

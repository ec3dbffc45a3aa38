"""The data of linking: modules that are to be linked, modules that are, and the state that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.contract import BoundAdapters, Glue
from marine_runtime.adapters.staging import DIRECT, Staging
from marine_runtime.calls.guard import Guard
from marine_runtime.calls.recursion import RecursionLimit
from marine_runtime.config.model import LOG_VARIABLE
from marine_runtime.errors import LinkError
from marine_runtime.lazy.data import dataclass, replace
from marine_runtime.lazy.typing import TYPE_CHECKING, Any
from marine_runtime.wasm import Instance, Module, Store

if TYPE_CHECKING:
    from marine_runtime.adapters.images import Images
    from marine_runtime.config.model import ModuleConfig, ServiceConfig
    from marine_runtime.host.resolve import HostFunctions, HostSide
    from marine_runtime.traces.instrument import Instrumentation
    from marine_runtime.wasi import Wasi


@dataclass(frozen=True, slots=True)
class LinkableModule:
    """One module of a service, ready to be linked.

    Attributes:
        wasm: its machine code.
        table_elements: the initial number of elements in its tables, for a memory limit.
        unfused: the adapters that its engine meant to fuse and could not, with the reason each.
    """

    plan: ModulePlan
    wasm: Module
    glue: Glue
    table_elements: int = 0
    unfused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedModule:
    """One module of a running service; one in Python has no instance."""

    plan: ModulePlan
    glue: Glue
    instance: Instance | None
    bound: BoundAdapters

    def memory_size(self) -> int:
        """Bytes of its memory now; 0 without one."""
        memory = self.instance.memory if self.instance else None
        if memory is None:
            return 0
        memory.refresh()
        return len(memory.view)


class LinkContext:
    """The service around the modules that are linked. It owns the names and the settings of the modules.

    Attributes:
        names: the modules of the service, in load order, linked or not.
        config: the settings of the service and of each module.
        linked: the modules that are linked, by name.
        recursion: the limit of calls inside each other.
        instrumentation: records calls; None when the service is not traced.
    """

    def __init__(
        self,
        store: Store,
        guard: Guard,
        host_functions: HostFunctions,
        config: ServiceConfig,
        names: Sequence[str],
        instrumentation: Instrumentation | None = None,
    ) -> None:
        """Prepare for the modules `names`.

        Raises:
            LinkError: names repeat.
            ArgumentError: something is not a host function.
            LoadError, ConfigError: a module can't have the directories or the environment that `config` gives it.
        """
        for name in names:
            if names.count(name) > 1:
                raise LinkError(f"two modules are named `{name}`")
        self.store = store
        self.guard = guard
        self.config = config
        self.names = list(names)
        self._host_functions = host_functions
        self.linked: dict[str, LinkedModule] = {}
        self.recursion = RecursionLimit()
        self.instrumentation = instrumentation
        self._ordinals = 0
        if host_functions or config.modules or LOG_VARIABLE in os.environ:  # there is something to check
            self.host, self.wasi  # noqa: B018

    @cached_property
    def host(self) -> HostSide:
        """The host functions of the service."""
        from marine_runtime.host.resolve import HostSide

        return HostSide(self._host_functions)

    @cached_property
    def wasi(self) -> Wasi:
        """WASI, for each module."""
        from marine_runtime.wasi import Wasi

        return Wasi(self.store, self.config, self.names)

    @property
    def next_ordinal(self) -> int:
        """The number of the Wasm module that comes next, as the compiler counts them."""
        return self._ordinals

    def take_ordinal(self) -> int:
        """The same, for a module that is linked now; no number is used twice."""
        self._ordinals += 1
        return self._ordinals - 1

    @cached_property
    def staging(self) -> tuple[Any, Staging]:
        """The staging memory of the service, as an import and as an object; made when something is fused."""
        native, memory = self.store.new_memory(1)
        direct = DIRECT[self.store.layer.name]
        return native, Staging(memory, self.guard.judge, direct=direct, foresees=not self.store.metered)

    @cached_property
    def images(self) -> Images:
        """The memory of results of host functions; made when a host function gives one."""
        from marine_runtime.adapters.images import Images

        return Images(self.store)

    def instrumented(self, plan: ModulePlan, engine: str, bound: BoundAdapters) -> BoundAdapters:
        """The adapters of a module as the service uses them: recorded, when it is traced."""
        return self.instrumentation.bound(plan, engine, bound) if self.instrumentation else bound

    @contextmanager
    def adding(self, name: str, config: ModuleConfig | None) -> Iterator[None]:
        """Register module `name` and its settings before it is linked; if linking fails, remove it.

        Raises:
            LoadError, ConfigError: its settings can't be met.
        """
        names, before = self.names, self.config
        self._configure(name, config)
        try:
            self.wasi.admit(name, self.config)
            self.names = [*names, name]
            yield
        except BaseException:
            self.wasi.forget(name)
            self.names, self.config = names, before
            raise

    def remove(self, name: str) -> None:
        """Forget a linked module and its settings."""
        del self.linked[name]
        self.names = [item for item in self.names if item != name]
        self.wasi.forget(name)
        self._configure(name, None)

    def _configure(self, name: str, config: ModuleConfig | None) -> None:
        """Give one module its settings; the others keep theirs."""
        modules = {module: item for module, item in self.config.modules.items() if module != name}
        if config is not None:
            modules[name] = config
        self.config = replace(self.config, modules=modules)

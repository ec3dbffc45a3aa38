"""A running service: modules, calls, interface, life cycle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Self

from marine_runtime.adapters.entry import publisher
from marine_runtime.calls.guard import Guard
from marine_runtime.calls.policy import Operations
from marine_runtime.calls.state import ServiceState
from marine_runtime.calls.statistics import Statistics
from marine_runtime.config.host_check import prepare
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import ArgumentError, CallError, MarineError
from marine_runtime.host.call_parameters import CallParameters
from marine_runtime.host.python_module import PythonModule
from marine_runtime.linking.dynamic import add_module, remove_module
from marine_runtime.linking.linker import HostFunctions, LinkableModule, LinkContext, LinkedModule, link
from marine_runtime.service.handles import UNDECLARED, Declared, ModuleHandle
from marine_runtime.service.interface import Interface, ModuleInterface
from marine_runtime.tracing.instrument import Instrumentation
from marine_runtime.tracing.recorder import Tracer
from marine_runtime.values.arguments import arrange
from marine_runtime.values.json import arguments_from_json, results_to_json
from marine_runtime.wasi import WasiState
from marine_runtime.wasm import WasmRuntime
from marine_runtime.wasm.budget import Budget


class Service:
    """Linked modules in one store. Use it as a context manager, or `close()` it.

    A service belongs to the thread that made it and runs one call at a time. After a failed call it stays usable; the
    guest's own state is what the guest left, and `state` says so.

    Attributes:
        name: what error messages call it.
        modules: the modules, as attributes or by name: `service.modules.facade.get_n_save(url, name)`.
        interface: signatures and records of every module; `str()` gives a listing.
        wasi: environment and mapped directories of every module, by module name.
        engine: the engine that runs the adapters.
        call_layer: the call layer, `fast` or `public`.
        config: the settings that the modules run with.
    """

    modules: Any  # `Modules`; generated packages declare a class of their own, with these modules and no others
    _declared: ClassVar[Declared] = UNDECLARED

    def __init__(
        self,
        parts: Sequence[LinkableModule | PythonModule],
        runtime: WasmRuntime,
        *,
        name: str = "service",
        host_functions: HostFunctions | None = None,
        config: ServiceConfig | None = None,
        timeout: float | None = None,
        fuel: int | None = None,
        collect_statistics: bool = False,
        trace: Tracer | None = None,
    ) -> None:
        self.name = name
        self.config = config or ServiceConfig()
        prepare(self.config, [part.plan.name for part in parts])
        self.call_layer = runtime.name
        self.engine = next((part.glue.engine for part in reversed(parts) if isinstance(part, LinkableModule)), "none")
        self._fuelled = fuel is not None
        self._counts_growth = runtime.budget_problem is None
        self._budget = Budget(self.config.total_memory_limit)
        self._guard = Guard(name, self._budget)
        self._store = runtime.store(self._budget)
        track = None if trace is None else Instrumentation(trace, name, self._guard)
        self._scene = scene = LinkContext(self._store, self._guard, host_functions or {}, self.config, track)
        self._context = scene.host.context
        try:
            self._operations = Operations(self._store, self._guard, timeout, fuel, collect=collect_statistics)
            with self._operations.loading():
                self._linked = link(parts, scene)
        except BaseException:
            self.close()
            raise
        self.wasi: Mapping[str, WasiState] = scene.wasi.states
        self._offer()

    def _offer(self) -> None:
        """Show the modules that are linked now."""
        self.modules = self._declared.together({name: self._handle(name, item) for name, item in self._linked.items()})
        self.interface = Interface(
            {name: ModuleInterface(item.plan.exports, item.plan.records) for name, item in self._linked.items()}
        )
        self.config = self._scene.config

    def load_module(
        self, part: LinkableModule | PythonModule, config: ModuleConfig | None = None, *, timeout: float | None = None
    ) -> None:
        """Link one more module behind those that are there, and initialise it. The others keep their state.

        `modules` and `interface` are new objects afterwards. When it fails, the service has the modules of before;
        what the failed one took of memory is free when the service is closed.

        Args:
            part: the module. Fused glue has to be made for the number `next_ordinal`, and against the modules that are
                there now.
            config: its settings.
            timeout: seconds that its initialisers may take, instead of what the service was loaded with.

        Raises:
            LinkError: the name is taken, an import has no provider, or signatures differ.
            LoadError, ConfigError: the settings can't be met.
            CallError: an initialiser failed.
            StateError: the service is closed, busy, or owned by another thread.
        """
        with self._guard.exclusive():
            try:
                with self._operations.loading(timeout):
                    add_module(part, config, self._scene)
            except BaseException as error:
                # An initialiser may have called the others; a module that is refused has not run.
                if isinstance(error, CallError) or not isinstance(error, MarineError):
                    self._guard.failed = True
                raise
        if isinstance(part, LinkableModule):
            self.engine = part.glue.engine
        self._offer()

    def unload_module(self, name: str) -> None:
        """Forget a module. Modules that import from it keep calling it, and its memory stays until `close`.

        Raises:
            ArgumentError: there is no such module.
            StateError: the service is closed, busy, or owned by another thread.
        """
        with self._guard.exclusive():
            remove_module(name, self._scene)
        self._offer()

    @property
    def next_ordinal(self) -> int:
        """The number of the Wasm module that is loaded next; fused glue is generated for it."""
        return self._scene.ordinal

    @classmethod
    def record_classes(cls, module: str) -> Mapping[int, type] | None:
        """The record classes that were declared for a module, by type index; None when nothing was."""
        return cls._declared.records(module)

    def _handle(self, name: str, linked: LinkedModule) -> ModuleHandle:
        """What users see of a module."""
        functions = {
            function: self._operations.wrap(name, function, entry) for function, entry in linked.bound.entries.items()
        }
        records = {linked.plan.records[index].name: cls for index, cls in linked.glue.record_classes.items()}
        return self._declared.handle(name, functions, records)

    def call(
        self,
        module: str,
        function: str,
        args: Sequence[Any] | Mapping[str, Any] = (),
        *,
        call_parameters: CallParameters | None = None,
        timeout: float | None = None,
        fuel: int | None = None,
    ) -> Any:
        """Call an exported function of any module.

        Args:
            module: import name of the module.
            function: name of the function.
            args: positional arguments as a sequence, or named ones as a mapping.
            call_parameters: what `get_call_parameters` gives to every module of the service during the call.
            timeout: seconds that the call may take, instead of what the service was loaded with.
            fuel: units of fuel that the call may use, instead of what the service was loaded with.

        Raises:
            ArgumentError: there is no such function, or the arguments do not fit its signature; says where. Or the
                service was loaded without fuel.
            CallError: the call failed while it ran; CallTimeoutError when its time was up, FuelLimitError when its
                fuel was.
            StateError: the service is closed, busy, or owned by another thread.
        """
        if call_parameters is not None:
            with self._during(call_parameters):
                return self.call(module, function, args, timeout=timeout, fuel=fuel)
        entry = self.modules[module][function]
        params = self._linked[module].plan.exports[function].params
        arranged = arrange(module, function, params, args)
        if timeout is None and fuel is None:
            return entry(*arranged)
        with self._operations.around(module, function, timeout, fuel=fuel):
            return self._linked[module].bound.entries[function](*arranged)

    def call_batch(
        self,
        module: str,
        function: str,
        rows: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        call_parameters: CallParameters | None = None,
        timeout: float | None = None,
        fuel: int | None = None,
    ) -> list[Any]:
        """Call a function many times; the fused engine enters Wasm once for thousands of calls.

        Args:
            module: import name of the module.
            function: name of the function.
            rows: the arguments of each call, as for `call`.
            call_parameters: as for `call`, the same for all rows.
            timeout: seconds that all of them together may take; those that are left then are interrupted.
            fuel: units of fuel that all of them together may use; those that are left then fail.

        Returns:
            For every row, in order, the result, or the exception that `call` would have raised: a failing call does
            not stop the others.

        Raises:
            ArgumentError: there is no such function.
            StateError: the service is closed, busy, or owned by another thread.
        """
        if call_parameters is not None:
            with self._during(call_parameters):
                return self.call_batch(module, function, rows, timeout=timeout, fuel=fuel)
        _ = self.modules[module][function]
        linked = self._linked[module]
        batch = linked.bound.batches.get(function)
        if batch is None:
            self._guard.require_idle()
            rows = list(rows)
            with self._operations.around(module, function, timeout, len(rows), fuel=fuel):
                return [self._attempt(linked, function, row) for row in rows]
        arranged: list[Any] = []
        refused: dict[int, ArgumentError] = {}
        params = linked.plan.exports[function].params
        rows = list(rows)
        if {list, tuple}.issuperset(map(type, rows)):  # of a wrong length, perhaps: that is noticed by `encode`
            arranged = rows
        else:
            for position, row in enumerate(rows):
                try:
                    arranged.append(row if type(row) in (list, tuple) else arrange(module, function, params, row))
                except ArgumentError as reason:
                    refused[position] = reason
        with self._operations.around(module, function, timeout, len(arranged), fuel=fuel), self._guard.call():
            results = batch(arranged)
        publish = publisher(linked.plan.exports[function], linked.plan.records, linked.glue.record_classes)
        if publish:
            results = [item if isinstance(item, Exception) else publish(item) for item in results]
        if refused:
            others = iter(results)
            total = len(results) + len(refused)
            results = [refused[index] if index in refused else next(others) for index in range(total)]
        return results

    def _attempt(self, linked: LinkedModule, function: str, row: Any) -> Any:
        """The result of one call, or the exception it raised."""
        try:
            params = linked.plan.exports[function].params
            return linked.bound.entries[function](*arrange(linked.plan.name, function, params, row))
        except Exception as error:
            return error

    def call_json(
        self,
        module: str,
        function: str,
        arguments: str,
        *,
        call_parameters: CallParameters | None = None,
        timeout: float | None = None,
        fuel: int | None = None,
    ) -> str:
        """Call with arguments as JSON text; gives the result as JSON text (spec interface-types §9).

        `call_parameters`, `timeout` and `fuel` are as for `call`.

        Raises:
            ArgumentError: the text is not JSON, or does not fit the signature.
            ResultError: the result can't be written as JSON.
            CallError, StateError: as `call`.
        """
        if call_parameters is not None:
            with self._during(call_parameters):
                return self.call_json(module, function, arguments, timeout=timeout, fuel=fuel)
        _ = self.modules[module][function]
        linked = self._linked[module]
        signature, records = linked.plan.exports[function], linked.plan.records
        values = arguments_from_json(arguments, signature, records, module=module, function=function)
        with self._operations.around(module, function, timeout, fuel=fuel):
            result = self._run(linked, function, values)
        results = [result] if len(signature.results) == 1 else list(result or ())
        return results_to_json(results, signature, records, module=module, function=function)

    @contextmanager
    def _during(self, parameters: CallParameters) -> Iterator[None]:
        """Modules get `parameters` for the time of a call."""
        self._guard.require_idle()  # a call that will be refused must not change what the running one sees
        with self._context.of(parameters):
            yield

    def _run(self, linked: LinkedModule, function: str, values: Sequence[Any]) -> Any:
        """Run an export adapter on internal values."""
        with self._guard.call():
            return (linked.bound.calls or linked.bound.exports)[function](*values)

    @property
    def state(self) -> ServiceState:
        """Whether the service can be called, and whether a call was broken off; see `ServiceState`."""
        return self._guard.state

    def statistics(self) -> Statistics:
        """Memory sizes, refused growths and, with `collect_statistics`, calls per function; `str()` gives a listing.

        Raises:
            StateError: the service is closed.
        """
        if self._guard.closed:
            self._guard.refuse()
        counted = self._counts_growth
        return Statistics(
            memory={name: _memory_size(item) for name, item in self._linked.items()},
            rejects=self._budget.rejects if counted else None,
            used=self._budget.used if counted else None,
            limit=self._budget.limit,
            functions={key: replace(item) for key, item in self._operations.functions.items()},
            fuel_used=self._store.fuel_used if self._fuelled else None,
            fuel_left=self._store.fuel_left if self._fuelled else None,
        )

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._guard.closed

    def close(self) -> None:
        """Free all instances and memories. Later calls raise StateError; closing twice is fine.

        Raises:
            StateError: a call is in progress, or the thread is not the owner.
        """
        if self._guard.closed:
            return
        self._guard.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.engine} engine, {self.call_layer} calls"
        return f"<Service {self.name}: {', '.join(self._linked)}; {state}>"


def _memory_size(linked: LinkedModule) -> int:
    memory = linked.instance.memory if linked.instance else None
    if memory is None:
        return 0
    memory.refresh()
    return len(memory.view)

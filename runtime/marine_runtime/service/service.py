"""A running service: modules, calls, interface, life cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from marine_runtime.adapters.contract import Adapter
from marine_runtime.calls.guard import Guard
from marine_runtime.calls.options import CallOptions, refuse_unknown, with_keywords
from marine_runtime.calls.policy import Operations
from marine_runtime.calls.state import ServiceState
from marine_runtime.calls.uncopied import Uncopied
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import CallError, MarineError, warn
from marine_runtime.lazy.data import replace
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack
from marine_runtime.linking.context import LinkableModule, LinkContext, LinkedModule
from marine_runtime.linking.linker import link
from marine_runtime.service.handles import UNDECLARED, Declared, ModuleHandle
from marine_runtime.service.options import RunOptions
from marine_runtime.values.arguments import arrange
from marine_runtime.wasm import WasmRuntime
from marine_runtime.wasm.budget import Budget

if TYPE_CHECKING:
    from marine_runtime.calls.statistics import Statistics
    from marine_runtime.host.python_module import PythonModule
    from marine_runtime.service.interface import Interface
    from marine_runtime.values.json import JsonCodec
    from marine_runtime.wasi import WasiState


class Service(Uncopied):
    """Linked modules in one store. Use it as a context manager, or `close()` it.

    A service belongs to the thread that made it and runs one call at a time. After a failed call it stays usable; its
    guests keep the state in which the call left them, and `state` says so.

    Attributes:
        name: its name in error messages.
        modules: the modules, as attributes or by name: `service.modules.facade.get_n_save(url, name)`.
        engine: the engine that runs the adapters.
        call_layer: the call layer, `fast` or `public`.
        warnings: functions that were left out because their adapters are invalid, and adapters that run as closures
            because they are too large for the fused engine, in a sentence each.
    """

    modules: Any  # `Modules`; generated packages declare a class of their own, with these modules and no others
    _declared: ClassVar[Declared] = UNDECLARED
    _advice = "load one in each process, or pass on the path of a build"

    def __init__(
        self,
        modules: Sequence[LinkableModule | PythonModule],
        runtime: WasmRuntime,
        *,
        name: str = "service",
        **options: Unpack[RunOptions],
    ) -> None:
        """Link `modules`, in order, and initialise them.

        Args:
            modules: compiled modules and Python modules.
            runtime: runs them.
            name: the name of the service in error messages.
            options: see `RunOptions`.
        """
        refuse_unknown("Service", options, RunOptions)
        self.name = name
        config, fuel, trace = options.get("config") or ServiceConfig(), options.get("fuel"), options.get("trace")
        names = [module.plan.name for module in modules]
        if config.modules:
            from marine_runtime.host.host_check import prepare

            prepare(config, names)
        self.call_layer = runtime.name
        self.engine = next((item.glue.engine for item in reversed(modules) if isinstance(item, LinkableModule)), "none")
        self._fuelled = fuel is not None
        self._counts_growth = runtime.budget_problem is None
        self._budget = Budget(config.total_memory_limit)
        self._guard = Guard(name, self._budget, runtime.attend)
        self._store = runtime.store(self._budget)
        instrumentation = None
        if trace is not None:
            from marine_runtime.traces.instrument import Instrumentation

            instrumentation = Instrumentation(trace, name, self._guard)
        try:
            self._operations = Operations(
                self._store,
                self._guard,
                options.get("timeout"),
                fuel,
                collect=options.get("collect_statistics", False),
            )
            self._context = context = LinkContext(
                self._store, self._guard, options.get("host_functions") or {}, config, names, instrumentation
            )
            with self._guard.exclusive(), self._operations.loading():
                link(modules, context)
        except BaseException:
            self.close()
            raise
        self._linked: Mapping[str, LinkedModule] = context.linked
        self.warnings: tuple[str, ...] = ()
        self._offer()
        self._report(modules)

    def _report(self, modules: Sequence[LinkableModule | PythonModule]) -> None:
        """Warn of what was left out of new modules, and keep that for `warnings`."""
        for module in modules:
            name, sentences = module.plan.name, [item.sentence(module.plan.name) for item in module.plan.left_out]
            self.warnings += (*sentences, *(f"module `{name}`: {item}" for item in getattr(module, "unfused", ())))
            for sentence in sentences:
                warn(sentence)

    def _offer(self) -> None:
        """Show the modules that are linked now."""
        self._interface: Interface | None = None
        self._json_codecs: dict[tuple[str, str], tuple[JsonCodec, Adapter]] = {}
        self.modules = self._declared.together({name: self._handle(name, item) for name, item in self._linked.items()})

    @property
    def interface(self) -> Interface:
        """Signatures and records of every module; `str()` gives a listing."""
        if self._interface is None:
            from marine_runtime.service.interface import Interface

            self._interface = Interface.of(item.plan for item in self._linked.values())
        return self._interface

    @property
    def wasi(self) -> Mapping[str, WasiState]:
        """Environment and mapped directories of every module, by module name."""
        return self._context.wasi.states

    @property
    def config(self) -> ServiceConfig:
        """The settings that the modules run with."""
        return self._context.config

    def load_module(
        self, module: LinkableModule | PythonModule, config: ModuleConfig | None = None, *, timeout: float | None = None
    ) -> None:
        """Link an additional module behind the loaded ones, and initialise it. The others keep their state.

        `modules` and `interface` are new objects afterwards. When it fails, the set of modules is unchanged; memory
        that the failed module took is freed when the service is closed.

        Args:
            module: the module. Fused glue has to be made for the number `next_ordinal` and for the modules that are
                loaded now.
            config: its settings.
            timeout: seconds that its initialisers may take, instead of what the service was loaded with.

        Raises:
            LinkError: the name is taken, an import has no provider, or signatures differ.
            LoadError, ConfigError: the settings can't be met.
            CallError: an initialiser failed.
            StateError: the service is closed, busy, or owned by another thread.
        """
        from marine_runtime.linking.dynamic import add_module, check_module

        check_module(module)
        with self._guard.exclusive():
            try:
                with self._operations.loading(timeout):
                    add_module(module, config, self._context)
            except BaseException as error:
                # An initialiser may have called the others; a module that is refused has not run.
                if isinstance(error, CallError) or not isinstance(error, MarineError):
                    self._guard.failed = True
                raise
        if isinstance(module, LinkableModule):
            self.engine = module.glue.engine
        self._offer()
        self._report([module])

    def unload_module(self, name: str) -> None:
        """Forget a module. Modules that import from it keep calling it, and its memory stays until `close`.

        Raises:
            ArgumentError: there is no such module.
            StateError: the service is closed, busy, or owned by another thread.
        """
        from marine_runtime.linking.dynamic import remove_module

        with self._guard.exclusive():
            remove_module(name, self._context)
        self._offer()

    @property
    def next_ordinal(self) -> int:
        """The number of the Wasm module that is loaded next; fused glue is generated for it."""
        return self._context.next_ordinal

    @classmethod
    def record_classes(cls, module: str) -> Mapping[int, type] | None:
        """The record classes that were declared for a module, by type index; None when nothing was."""
        return cls._declared.records(module)

    def _handle(self, name: str, linked: LinkedModule) -> ModuleHandle:
        """The public side of a module."""
        entries = linked.bound.entries
        functions: Mapping[str, Callable[..., Any]] = Lazy(
            entries, lambda function, entry: self._operations.wrap(name, function, entry)
        )
        if not isinstance(entries, Lazy):
            functions = dict(functions)
        records: Mapping[str, type] = {}
        if linked.glue.record_classes:
            from marine_runtime.values.records import by_name

            records = by_name(linked.plan.records, linked.glue.record_classes)
        return self._declared.handle(name, functions, records, linked.plan.unusable_exports)

    @with_keywords(CallOptions)
    def call(
        self,
        module: str,
        function: str,
        args: Sequence[Any] | Mapping[str, Any] = (),
        **options: Unpack[CallOptions],
    ) -> Any:
        """Call an exported function of any module.

        Args:
            module: import name of the module.
            function: name of the function.
            args: positional arguments as a sequence, or named ones as a mapping.
            options: `timeout`, `fuel` and `call_parameters`; see `CallOptions`.

        Raises:
            ArgumentError: there is no such function, the arguments do not fit its signature, or fuel is given for a
                service that was loaded without.
            CallError: the call failed while it ran; CallTimeoutError when its time was up, FuelLimitError when its
                fuel was.
            StateError: the service is closed, busy, or owned by another thread.
        """
        if options:
            return self._call(module, function, args, options)
        entry, signature = self.modules[module][function], self._linked[module].plan.exports.get(function)
        if signature is None:
            return entry()  # the place of a function that was left out
        return entry(*arrange(module, function, signature.params, args))

    def _call(self, module: str, function: str, args: Sequence[Any] | Mapping[str, Any], options: CallOptions) -> Any:
        """The same with options."""
        with self._parameters("Service.call", options):
            linked = self._find(module, function)
            arranged = arrange(module, function, linked.plan.exports[function].params, args)
            with self._operations.around(module, function, options):
                return linked.bound.entries[function](*arranged)

    @with_keywords(CallOptions)
    def call_batch(
        self,
        module: str,
        function: str,
        rows: Iterable[Sequence[Any] | Mapping[str, Any]],
        **options: Unpack[CallOptions],
    ) -> list[Any]:
        """Call a function many times; the fused engine enters Wasm once for thousands of calls.

        Args:
            module: import name of the module.
            function: name of the function.
            rows: the arguments of each call, as for `call`.
            options: as for `call`, for all calls together: those that are left when a limit is reached fail.

        Returns:
            For every row, in order, the result, or the exception that `call` would have raised: a failing call does
            not stop the others.

        Raises:
            ArgumentError: there is no such function.
            StateError: the service is closed, busy, or owned by another thread.
        """
        from marine_runtime.service.batch import Batch

        with self._parameters("Service.call_batch", options):
            batch = Batch(self._find(module, function), function, self._operations, self._guard)
            return batch.run(rows, options)

    @with_keywords(CallOptions)
    def call_json(self, module: str, function: str, arguments: str, **options: Unpack[CallOptions]) -> str:
        """Call with arguments as JSON text; returns the result as JSON text (docs/spec/json.md).

        Args:
            module: import name of the module.
            function: name of the function.
            arguments: an array, or an object with named arguments.
            options: as for `call`.

        Raises:
            ArgumentError: the text is not JSON, or does not fit the signature.
            ResultError: the result can't be written as JSON.
            CallError, StateError: as `call`.
        """
        if not options and self._operations.free:
            codec, run = self._json_codecs.get((module, function)) or self._json_codec(module, function)
            values = codec.arguments(arguments)
            with self._guard.call():
                result = run(*values)
            return codec.results_of(result)
        with self._parameters("Service.call_json", options):
            codec, run = self._json_codec(module, function)
            values = codec.arguments(arguments)
            with self._operations.around(module, function, options), self._guard.call():
                result = run(*values)
            return codec.results_of(result)

    def _json_codec(self, module: str, function: str) -> tuple[JsonCodec, Adapter]:
        """The JSON converters of a function, and the adapter that runs it; made once."""
        from marine_runtime.values.json import JsonCodec

        found = self._json_codecs.get((module, function))
        if found is None:
            plan = (linked := self._find(module, function)).plan
            codec = JsonCodec(plan.exports[function], plan.records, module=module, function=function)
            run = (linked.bound.calls or linked.bound.exports)[function]
            found = self._json_codecs[module, function] = (codec, run)
        return found

    def _find(self, module: str, function: str) -> LinkedModule:
        """The module that exports a function; raises ArgumentError or LeftOutError when there is none to call."""
        found = self.modules[module][function]
        if function not in self._linked[module].plan.exports:
            found()  # the place of a function that was left out
        return self._linked[module]

    def _parameters(self, function: str, options: CallOptions) -> AbstractContextManager[None]:
        """Check the names of options; the context in which modules see the call parameters among them."""
        refuse_unknown(function, options, CallOptions)
        parameters = options.get("call_parameters")
        if parameters is None:
            return nullcontext()
        self._guard.require_idle()  # a call that will be refused must not change what the running one sees
        return self._context.host.call_context.of(parameters)

    @property
    def state(self) -> ServiceState:
        """The state of the service: open, closed, or with a call that was interrupted; see `ServiceState`."""
        return self._guard.state

    def statistics(self) -> Statistics:
        """Memory sizes, refused growths and, with `collect_statistics`, calls per function; `str()` gives a listing.

        Raises:
            StateError: the service is closed.
        """
        from marine_runtime.calls.statistics import Statistics

        if self._guard.closed:
            self._guard.refuse()
        counted = self._counts_growth
        return Statistics(
            memory={name: item.memory_size() for name, item in self._linked.items()},
            rejects=self._budget.rejects if counted else None,
            used=self._budget.used if counted else None,
            limit=self._budget.limit,
            functions={key: replace(item) for key, item in self._operations.functions.items()},
            fuel_used=self._store.fuel_used if self._fuelled else None,
            fuel_left=self._store.fuel_left if self._fuelled else None,
        )

    @property
    def closed(self) -> bool:
        """True if `close` was called."""
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

    def keep_alive(self, thing: object) -> None:
        """Keep a reference to `thing` until the service is closed."""
        self._store.keep_alive(thing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.engine} engine, {self.call_layer} calls"
        return f"<Service {self.name}: {', '.join(self._linked)}; {state}>"

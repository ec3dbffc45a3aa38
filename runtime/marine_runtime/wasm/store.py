"""Stores and instances, for either call layer.

One `WasmRuntime` per process and layer (a `wasmtime.Engine` is expensive and shareable), one `Store` per service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from weakref import WeakKeyDictionary

from marine_runtime.errors import LinkError, LoadError
from marine_runtime.lazy.typing import Any, NoReturn
from marine_runtime.texts.messages import unopened
from marine_runtime.wasm import interruption
from marine_runtime.wasm.api import CallLayer, Codes, CoreFunction, signature_of
from marine_runtime.wasm.budget import TABLE_ELEMENT, Budget
from marine_runtime.wasm.deadline import FAR, SLICE, TICK, DeadlineClock, Watch
from marine_runtime.wasm.engine import WasmEngine
from marine_runtime.wasm.memory import Memory, Meter
from marine_runtime.wasm.memory_creator import MemoryCreator
from marine_runtime.wasm.module import ImportKey, Module
from marine_runtime.wasm.native import monotonic
from marine_runtime.wasm.tables import START_HOOK, TABLE_HOOK
from marine_runtime.wasm.traps import Fault, Parking, exit_code, first_line, refusal_of

_WASI_NAMESPACE = "wasi_snapshot_preview1"

_helpers: WeakKeyDictionary[WasmEngine, dict[str, Module]] = WeakKeyDictionary()


class Instance:
    """An instantiated module."""

    __slots__ = ("_exports", "_store", "memory", "module")

    def __init__(self, store: Store, module: Module, native: Any) -> None:
        self.module = module
        self._store = store
        self._exports = store.layer.exports(store, native)
        self.memory: Memory | None = None
        if module.memory is not None:
            self.memory = store.look_into(self._exports[module.memory])

    def export(self, name: str) -> Any:
        """An export as something to import into another instance."""
        return self._exports[name]

    def importable(self, names: Sequence[str]) -> Sequence[Any]:
        """Many exports as something to import into another instance; raises KeyError as `export`."""
        layer: CallLayer = self._store.layer
        return layer.importable(self._exports, names)

    def function(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        """An exported function as a Python callable.

        Raises:
            LinkError: there is no such function, or its Wasm signature is not what the codes say.
        """
        signature = self.module.exports.get(name)
        if signature is None:
            raise LinkError(f"the module exports no function `{name}`")
        if signature != (wanted := signature_of(params, results)):  # check: wasm signature of an export
            raise LinkError(f"export `{name}` has the Wasm signature {signature}, expected {wanted}")
        return self._store.layer.core_function(self._store, self._exports[name], params, results)


def _closed(ticks: int) -> NoReturn:
    raise ValueError("the store is closed")


class Store:
    """Everything of one service that lives in Wasm. Closing it frees all instances and memories at once.

    Attributes:
        fuel_used: units of fuel that were used while `fuelled` lasted, all times together.
        fuel_left: units that the last one left over.
        metered: whether its Wasm uses fuel.
        cells: the data of the call layer for all calls of the store.
        set_epoch_deadline: lets its Wasm run for so many epochs from now on.
        traps: new traps, for host functions that fail.
    """

    _asks = 0  # where an exception of a signal handler has left `__init__`

    def __init__(
        self,
        layer: CallLayer,
        engine: WasmEngine,
        watchdog: DeadlineClock,
        creator: MemoryCreator | None,
        budget: Budget | None,
        *,
        metered: bool,
    ) -> None:
        self.layer = layer
        self.metered = metered
        self._binding = binding = layer.binding
        self.native = binding.Store(engine.native)
        self.set_epoch_deadline = layer.deadline_setter(self.native)
        self.parking = Parking()
        self._asks = interruption.ask_at_deadline(self.native, self.parking, watchdog) if watchdog.asked else 0
        self.set_epoch_deadline(watchdog.longest)
        self.cells: Any = None
        self.traps: Any = None
        self.budget = budget
        self.fuel_used = 0
        self.fuel_left = 0
        self._watchdog = watchdog
        self._creator = creator
        if budget is not None and budget.limit is not None and creator is None:
            self.native.set_limits(min(budget.limit, 2**63 - 1))
        self._engine = engine
        self._wasi: Any = None
        self._kept: list[Any] = []
        self._closers: list[Callable[[], None]] = []

    def keep_alive(self, thing: Any) -> None:
        """Hold `thing` until the store is closed."""
        self._kept.append(thing)

    def on_close(self, action: Callable[[], None]) -> None:
        """Run `action` just before the store is closed."""
        self._closers.append(action)

    def host_function(self, params: Codes, results: Codes, target: CoreFunction) -> Any:
        """A Wasm function that calls `target`."""
        return self.layer.host_function(self, params, results, target)

    def new_memory(self, pages: int) -> tuple[Any, Memory]:
        """A memory of its own with `pages` of 64 KiB: as something to import, and as something to look into.

        Raises:
            LoadError: the system refuses it.
        """
        try:
            with self._charging(None):
                native = self.layer.new_memory(self.native, pages)
        except self._binding.WasmtimeError as fault:
            raise self._not_made(fault, LoadError) from None
        return native, self.look_into(native)

    def look_into(self, native: Any) -> Memory:
        """A memory of the store, given as an export or as something to import."""
        memory = self.layer.memory(self, native)
        memory.meter = Meter(memory, self.parking)
        return memory

    def helper(self, text: str) -> Module:
        """A module of the runtime's own, compiled once per process from its Wasm text."""
        compiled = _helpers.setdefault(self._engine, {})
        if text not in compiled:
            from marine_runtime.wasm.reflection import shape_of

            wasm = bytes(self._binding.wat2wasm(text))
            compiled[text] = Module(self._engine.module(wasm), shape_of(wasm))
        return compiled[text]

    def open_wasi(self, directories: Sequence[str]) -> None:
        """Make the WASI context of the store; `directories` get the descriptors from 3 on, in order.

        Standard input is empty, the outputs are those of the process.

        Raises:
            LoadError: a directory can't be opened.
        """
        config = self._binding.WasiConfig()
        config.inherit_stdout()
        config.inherit_stderr()
        for number, directory in enumerate(directories):
            try:
                config.preopen_dir(directory, str(number))
            except self._binding.WasmtimeError as error:
                raise LoadError(f"the directory `{directory}` can't be opened{unopened(directory)}") from error
        self.native.set_wasi(config)
        self._wasi = self._binding.Linker(self._engine.native)
        self._wasi.define_wasi()

    def wasi_function(self, name: str) -> Any | None:
        """A WASI preview 1 function, or None when there is none of that name."""
        if self._wasi is None:
            self.open_wasi(())
        assert self._wasi is not None
        try:
            return self._wasi.get(self.native, _WASI_NAMESPACE, name)
        except self._binding.WasmtimeError:
            return None

    def patience(self) -> int:
        """Nanoseconds that the running call may wait before it has to ask again; a little more than it has left.

        Raises:
            CallTimeoutError: its time is up.
        """
        self.parking.tick()
        deadline = self.parking.deadline
        left = FAR if deadline is None else max(deadline - monotonic(), 0)
        return int(min(left + TICK, SLICE * TICK) * 1e9)

    def watching(self, timeout: float) -> AbstractContextManager[None]:
        """While this lasts, Wasm of the store is interrupted once `timeout` seconds have passed."""
        return Watch(self._watchdog, self, self.parking, timeout)

    @contextmanager
    def fuelled(self, fuel: int) -> Iterator[None]:
        """While this lasts, Wasm of the store has `fuel` units; only a store of a metered runtime can run on fuel."""
        self.parking.fuel = fuel
        self.native.set_fuel(fuel)
        try:
            yield
        finally:
            self.parking.fuel = None
            self.fuel_left = self.native.get_fuel()
            self.fuel_used += fuel - self.fuel_left

    def instantiate(
        self,
        module: Module,
        imports: Mapping[ImportKey, Any],
        *,
        charged: bool = False,
        before_start: Callable[[Instance], None] | None = None,
    ) -> Instance:
        """Instantiate; the Wasm start function, if any, runs here.

        Args:
            module: the module to instantiate.
            imports: everything that it imports.
            charged: memories of the module are paid by the store's budget; those of our own glue are not.
            before_start: called with the instance, before a start function that the compiler made wait.

        Raises:
            LinkError: wasmtime refuses the imports or the module's memory.
            TrapError: the start function trapped; or whatever a Python import raised underneath.
        """
        externs = [imports[key] for key in module.import_order]
        started = False
        try:
            with self._charging(self.budget if charged else None), self.layer.entering(self.parking):
                native = self._binding.Instance(self.native, module.native, externs)
            instance = Instance(self, module, native)
            self._tie_hooks(module, instance)
            if before_start is not None:
                before_start(instance)
            if START_HOOK in module.hooks:
                started = True  # from here on, what fails is a call
                with self.layer.entering(self.parking):
                    instance.export(START_HOOK)(self.native)
                self.parking.raise_left()
        except (self._binding.Trap, self._binding.WasmtimeError) as caught:
            fault: Fault = caught
        else:
            return instance
        if self.parking.exception is None and not (
            started or isinstance(fault, self._binding.Trap) or exit_code(fault) is not None
        ):
            raise self._not_made(fault, LinkError)
        raise self.parking.exception_for(fault)

    def _charging(self, budget: Budget | None) -> AbstractContextManager[None]:
        return nullcontext() if self._creator is None else self._creator.charging(budget, self.parking)

    def _not_made(self, fault: Exception, kind: type[LoadError]) -> BaseException:
        """The error of an instance or a memory that can't be made: what a signal handler raised, or a `kind`."""
        parked, self.parking.exception = self.parking.exception, None
        if parked is not None:
            return parked
        if self._creator is not None and self._creator.refused:
            return kind(f"the system refuses a memory: {self._creator.refused}")
        if refused := refusal_of(fault):
            return kind(refused[0])
        from marine_runtime.wasm.refusals import missing_feature

        text = first_line(fault)
        if feature := missing_feature(text):
            return kind(f"it uses {feature[0]}, which services don't have: {feature[1]}")
        return kind(text)

    def _tie_hooks(self, module: Module, instance: Instance) -> None:
        """Make tables that grow ask the budget."""
        if TABLE_HOOK in module.hooks:
            charge = self.layer.host_function(self, "Q", "I", self._charge_table)
            instance.export(TABLE_HOOK).grow(self.native, 1, charge)

    def _charge_table(self, elements: int) -> int:
        return int(self.budget is None or self.budget.take(TABLE_ELEMENT * elements))

    def __del__(self) -> None:
        interruption.forget(self._asks)

    def close(self) -> None:
        """Free everything. Functions and memories of the store must not be used afterwards."""
        for action in self._closers:
            action()
        self._closers.clear()
        self.set_epoch_deadline = _closed
        self.native.close()
        interruption.forget(self._asks)
        self._wasi = None
        self._kept.clear()
        parked, self.parking.exception = self.parking.exception, None
        if parked is not None:  # of a signal handler, while memories were unmapped
            raise parked

"""Compiling, storing and instantiating modules through wasmtime's public API, for either call layer.

One `WasmRuntime` per process and layer (a `wasmtime.Engine` is expensive and shareable), one `Store` per service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from errno import ENOMEM
from functools import partial
from time import monotonic
from typing import Any, NoReturn, cast
from weakref import WeakKeyDictionary

import wasmtime

from marine_runtime.errors import LinkError, LoadError, MarineError
from marine_runtime.messages import limit_of, unopened
from marine_runtime.wasm import ffi, interruption
from marine_runtime.wasm.api import CallLayer, Codes, CoreFunction, signature_of
from marine_runtime.wasm.budget import TABLE_ELEMENT, Budget
from marine_runtime.wasm.compiling import Compiler, threads_for_compiling
from marine_runtime.wasm.deadline import FAR, SLICE, TICK, Attended, DeadlineClock, Watch
from marine_runtime.wasm.memory import Memory, Meter
from marine_runtime.wasm.memory_creator import MemoryCreator, memory_creator, problem
from marine_runtime.wasm.module import ImportKey, Module, Shape
from marine_runtime.wasm.tables import START_HOOK, TABLE_HOOK
from marine_runtime.wasm.trap_signals import trap_signals
from marine_runtime.wasm.traps import Parking, first_line, text_of

_WASI_NAMESPACE = "wasi_snapshot_preview1"

_helpers: WeakKeyDictionary[wasmtime.Engine, dict[str, Module]] = WeakKeyDictionary()


class Instance:
    """An instantiated module."""

    __slots__ = ("_exports", "_store", "memory", "module")

    def __init__(self, store: Store, module: Module, native: wasmtime.Instance) -> None:
        self.module = module
        self._store = store
        self._exports = store.layer.exports(store, native)
        self.memory: Memory | None = None
        if module.memory is not None:
            self.memory = store.look_into(self._exports[module.memory])

    def export(self, name: str) -> Any:
        """An export as something to import into another instance."""
        return self._exports[name]

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
        cells: what the call layer keeps for all calls of the store.
        set_epoch_deadline: lets its Wasm run for so many epochs from now on.
        traps: new traps, for host functions that fail.
    """

    def __init__(
        self,
        layer: CallLayer,
        engine: wasmtime.Engine,
        watchdog: DeadlineClock,
        creator: MemoryCreator | None,
        budget: Budget | None,
        *,
        metered: bool,
    ) -> None:
        self.layer = layer
        self.metered = metered
        self.native = wasmtime.Store(engine)
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
        self._wasi: wasmtime.Linker | None = None
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
                native = wasmtime.Memory(self.native, wasmtime.MemoryType(wasmtime.Limits(pages, None)))
        except wasmtime.WasmtimeError as fault:
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
            compiled[text] = Module(wasmtime.Module(self._engine, assemble(text)))
        return compiled[text]

    def open_wasi(self, directories: Sequence[str]) -> None:
        """Make the WASI context of the store; `directories` get the descriptors from 3 on, in order.

        Standard input is empty, the outputs are those of the process.

        Raises:
            LoadError: a directory can't be opened.
        """
        config = wasmtime.WasiConfig()
        config.inherit_stdout()
        config.inherit_stderr()
        for number, directory in enumerate(directories):
            try:
                config.preopen_dir(directory, str(number))
            except wasmtime.WasmtimeError as error:
                raise LoadError(f"the directory `{directory}` can't be opened{unopened(directory)}") from error
        self.native.set_wasi(config)
        self._wasi = wasmtime.Linker(self._engine)
        self._wasi.define_wasi()

    def wasi_function(self, name: str) -> Any | None:
        """A WASI preview 1 function, or None when there is none of that name."""
        if self._wasi is None:
            self.open_wasi(())
        assert self._wasi is not None
        try:
            return self._wasi.get(self.native, _WASI_NAMESPACE, name)
        except wasmtime.WasmtimeError:
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
            module: what to instantiate.
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
                native = wasmtime.Instance(self.native, module.native, externs)
            self._tie_hooks(module, native)
            instance = Instance(self, module, native)
            if before_start is not None:
                before_start(instance)
            if START_HOOK in module.hooks:
                started = True  # from here on, what fails is a call
                with self.layer.entering(self.parking):
                    cast("wasmtime.Func", instance.export(START_HOOK))(self.native)
                self.parking.raise_left()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as caught:
            fault: wasmtime.Trap | wasmtime.WasmtimeError = caught
        else:
            return instance
        if self.parking.exception is None and not (started or isinstance(fault, (wasmtime.Trap, wasmtime.ExitTrap))):
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
        text = first_line(fault)
        return kind(text + limit_of(ENOMEM) if text.startswith("mmap failed") else text)

    def _tie_hooks(self, module: Module, native: wasmtime.Instance) -> None:
        """Make tables that grow ask the budget."""
        if TABLE_HOOK in module.hooks:
            charge = self.layer.host_function(self, "Q", "I", self._charge_table)
            cast("wasmtime.Table", native.exports(self.native)[TABLE_HOOK]).grow(self.native, 1, charge)

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


class WasmRuntime:
    """A `wasmtime.Engine` with a call layer.

    Attributes:
        name: `fast` or `public`.
        fallback_reason: why the fast layer was not taken although asked for, or None.
        budget_problem: why memory limits hold for each memory alone and not for all together, or None.
        metered: whether its machine code uses fuel.
    """

    def __init__(
        self,
        layer: CallLayer,
        fallback_reason: str | None = None,
        max_wasm_stack: int | None = None,
        *,
        metered: bool = False,
    ) -> None:
        config = wasmtime.Config()
        # Views into memories are kept across calls, so a memory must stay where it is when it grows.
        ffi.set_option(config, "memory_may_move", False)
        config.wasm_multi_memory = True
        # Part of the machine code: code that was serialised without it is refused, and compiled again.
        config.epoch_interruption = True
        if metered:  # part of the machine code too, in every block of it
            config.consume_fuel = True
        config.parallel_compilation = threads_for_compiling()
        if max_wasm_stack is not None:
            ffi.set_option(config, "max_wasm_stack", max_wasm_stack)
        self.budget_problem = problem()
        self._creator = None if self.budget_problem else memory_creator()
        if self._creator:
            self._creator.install(config)
        self._engine = wasmtime.Engine(config)
        self._watchdog = DeadlineClock(self._engine.increment_epoch, asked=interruption.problem() is None)
        self._signals = trap_signals()
        self._compiler = Compiler(partial(wasmtime.Module, self._engine))
        self.layer = layer
        self.name = layer.name
        self.fallback_reason = fallback_reason
        self.metered = metered

    def validate(self, wasm: bytes) -> None:
        """Check a Wasm binary without compiling it.

        Raises:
            LoadError: it is not valid Wasm.
        """
        try:
            wasmtime.Module.validate(self._engine, wasm)
        except wasmtime.WasmtimeError as error:
            raise LoadError(f"not a valid Wasm module: {first_line(error)}") from None

    def compile(self, wasm: bytes) -> Module:
        """Compile a Wasm binary.

        Raises:
            LoadError: it is not valid Wasm.
        """
        try:
            return Module(self._compiler.compile(wasm))
        except wasmtime.WasmtimeError as error:
            raise LoadError(f"not a valid Wasm module: {first_line(error)}") from None

    def deserialize(self, code: bytes, shape: Shape | None = None) -> Module:
        """Load what `Module.serialize` made; `shape` is that of the module, where it is known.

        The bytes are machine code and must come from a trusted place: wasmtime checks version, options and processor
        features, not intent.

        Raises:
            LoadError: it was made by another version, with other options or for another processor.
        """
        try:
            return Module(wasmtime.Module.deserialize(self._engine, code), shape)
        except (wasmtime.WasmtimeError, MarineError) as error:
            raise LoadError(f"serialised code can't be used: {first_line(error)}") from None

    def attend(self, item: Attended) -> None:
        """Prepare for calls of `item`: let it be interrupted by what signal handlers raise, until it is idle again.

        Raises:
            RuntimeError: the system has no thread left.
        """
        self._signals.restore()
        self._watchdog.attend(item)

    def interrupt(self) -> None:
        """Interrupt every running call with a time limit, in any store, as if its time were up.

        For tools that run one service and want to stop it from another thread.
        """
        self._watchdog.interrupt()

    def store(self, budget: Budget | None = None) -> Store:
        """A new, empty store; `budget` pays for what is charged in it."""
        return Store(self.layer, self._engine, self._watchdog, self._creator, budget, metered=self.metered)


def assemble(text: str) -> bytes:
    """The binary form of a module in the Wasm text format.

    Raises:
        LoadError: the text is not a valid module.
    """
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise LoadError(f"the Wasm text can't be assembled: {text_of(error)}") from None

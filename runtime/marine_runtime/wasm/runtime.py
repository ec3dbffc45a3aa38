"""Engines with a call layer: they compile modules and make stores. One per process, layer and size of stack."""

from __future__ import annotations

from collections.abc import Callable

from marine_runtime.errors import LoadError, MarineError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import refused_code
from marine_runtime.wasm import ffi, interruption
from marine_runtime.wasm.api import CallLayer
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.compiling import Compiler, interruptible
from marine_runtime.wasm.deadline import Attended, DeadlineClock
from marine_runtime.wasm.engine import WasmEngine
from marine_runtime.wasm.memory_creator import memory_creator, problem
from marine_runtime.wasm.module import Module, Shape
from marine_runtime.wasm.stack import ASYNCHRONOUS
from marine_runtime.wasm.store import Store
from marine_runtime.wasm.trap_signals import trap_signals
from marine_runtime.wasm.traps import first_line, refusal_of, text_of


class CodeMemoryError(LoadError):
    """The system refuses memory for machine code; to compile it again would be refused too."""


class WasmRuntime:
    """A `wasmtime.Engine` with a call layer.

    Attributes:
        name: `fast` or `public`.
        fallback_reason: the reason for which the fast layer was not used although requested, or None.
        budget_problem: the reason for which memory limits hold for each memory alone, or None.
        metered: whether its machine code uses fuel.
        baseline: whether the baseline compiler makes its machine code.
    """

    def __init__(
        self,
        layer: CallLayer,
        fallback_reason: str | None = None,
        max_wasm_stack: int | None = None,
        *,
        metered: bool = False,
        baseline: bool = False,
    ) -> None:
        self._binding = binding = layer.binding
        self.budget_problem = problem()
        self._creator = creator = None if self.budget_problem else memory_creator()

        def new_engine(parallel: bool) -> Any:
            config = binding.Config()
            # Views into memories are kept across calls, so a memory must stay where it is when it grows.
            ffi.set_option(config, "memory_may_move", False)
            config.wasm_multi_memory = True
            # Part of the machine code: code that was serialised without it is refused, and compiled again.
            config.epoch_interruption = True
            if metered:  # part of the machine code too, in every block of it
                config.consume_fuel = True
            if baseline:
                from marine_runtime.wasm.baseline import STRATEGY

                ffi.set_option(config, "strategy", STRATEGY)
            config.parallel_compilation = parallel
            if max_wasm_stack is not None:
                ffi.set_option(config, "max_wasm_stack", max_wasm_stack)
                if max_wasm_stack > ASYNCHRONOUS:
                    ffi.set_option(config, "async_stack_size", max_wasm_stack)
            if creator:
                creator.install(config)
            return binding.Engine(config)

        self._engine = WasmEngine(binding, new_engine)
        self._watchdog = DeadlineClock(self._engine.native.increment_epoch, asked=interruption.problem() is None)
        self._signals = trap_signals()
        self._compiler = Compiler(self._engine.module)
        self.layer = layer
        self.name = layer.name
        self.fallback_reason = fallback_reason
        self.metered = metered
        self.baseline = baseline

    def validate(self, wasm: bytes) -> None:
        """Check a Wasm binary without compiling it.

        Raises:
            RefusedModuleError: it is not valid Wasm, or uses what services don't have.
        """
        try:
            interruptible(wasm, self._engine.validate)
        except self._binding.WasmtimeError as error:
            raise _refused(error) from None

    def prepare_compiling(self) -> None:
        """Import what `compile` needs. Threads of the system can't import where `gevent` has replaced Python's."""
        import marine_runtime.wasm.reflection
        import marine_runtime.wasm.refusals  # noqa: F401

    def compile(self, wasm: bytes) -> Module:
        """Compile a Wasm binary.

        Raises:
            CodeMemoryError: the system has no memory for it.
            RefusedModuleError: it is not valid Wasm, or uses what services don't have.
        """
        from marine_runtime.wasm.reflection import shape_of

        try:
            native = self._compiler.compile(wasm)
        except self._binding.WasmtimeError as error:
            if refused := refusal_of(error):
                raise CodeMemoryError(refused_code(*refused)) from None
            raise _refused(error) from None
        return Module(native, shape_of(wasm))

    def deserialize(self, code: bytes, shape: Shape) -> Module:
        """Load what `Module.serialize` made of a module with that shape.

        The bytes are machine code and must come from a trusted place: wasmtime checks version, options and processor
        features, not intent.

        Raises:
            CodeMemoryError: the system has no memory for it.
            LoadError: it was made by another version, with other options or for another processor.
        """
        return self._deserialized(self._binding.Module.deserialize, code, shape)

    def deserialize_file(self, path: str, shape: Shape) -> Module:
        """The same out of a file, which is mapped: its pages are shared by all processes, and read when they are used.

        The content of the file must not change as long as the module is used; another file may take its place.

        Raises:
            LoadError: as for `deserialize`, or the file can't be read.
        """
        return self._deserialized(self._binding.Module.deserialize_file, path, shape)

    def _deserialized(self, read: Callable[[Any, Any], Any], code: bytes | str, shape: Shape) -> Module:
        try:
            return Module(read(self._engine.native, code), shape)
        except (self._binding.WasmtimeError, MarineError) as error:
            if refused := refusal_of(error):
                raise CodeMemoryError(refused_code(*refused)) from None
            raise LoadError(f"serialised code can't be used: {first_line(error)}") from None

    def attend(self, item: Attended) -> None:
        """Prepare for calls of `item`: let it be interrupted by what signal handlers raise, until it is idle again.

        Raises:
            RuntimeError: the system has no thread left.
        """
        self._signals.admit()
        self._signals.restore()
        self._watchdog.attend(item)

    def interrupt(self) -> None:
        """Interrupt every running call with a time limit, in any store, as if its time were up.

        For tools that run one service and want to stop it from another thread.
        """
        self._watchdog.interrupt()

    def store(self, budget: Budget | None = None) -> Store:
        """A new, empty store, for this thread; `budget` pays for what is charged in it."""
        self._signals.admit()
        return Store(self.layer, self._engine, self._watchdog, self._creator, budget, metered=self.metered)


def assemble(text: str) -> bytes:
    """The binary form of a module in the Wasm text format.

    Raises:
        LoadError: the text is not a valid module.
    """
    binding = _assembler()
    try:
        return bytes(binding.wat2wasm(text))
    except binding.WasmtimeError as error:
        raise LoadError(f"the Wasm text can't be assembled: {text_of(error)}") from None


def _refused(error: Exception) -> LoadError:
    from marine_runtime.wasm.refusals import RefusedModuleError

    return RefusedModuleError.of(error)


def _assembler() -> Any:
    """The binding that assembles: that of the fast layer, where that can be used."""
    if ffi.problem() is None:
        from marine_runtime.wasm import capi

        return capi
    import wasmtime

    return wasmtime

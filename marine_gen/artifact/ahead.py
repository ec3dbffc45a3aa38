"""Machine code that is made beside the Python of the compiler: Wasmtime compiles without the GIL."""

from __future__ import annotations

from functools import partial

from marine_runtime.wasm import Compiling, Module, WasmRuntime, has_stack


class Ahead:
    """Modules that are compiled by threads of their own until they are asked for."""

    def __init__(self, runtime: WasmRuntime) -> None:
        runtime.prepare_compiling()
        self._runtime = runtime
        self._begun: dict[bytes, Compiling] = {}

    def begin(self, wasm: bytes) -> None:
        """Compile `wasm` in a thread, where the system gives one with enough stack."""
        if wasm in self._begun or not has_stack():
            return
        compiling = Compiling(partial(self._runtime.compile, wasm))
        try:
            compiling.start()
        except RuntimeError:  # no thread is left
            return
        self._begun[wasm] = compiling

    def compile(self, wasm: bytes) -> Module:
        """The compiled module; see `WasmRuntime.compile`."""
        compiling = self._begun.pop(wasm, None)
        if compiling is None:
            return self._runtime.compile(wasm)
        made: Module = compiling.wait()
        return made

    def validate(self, wasm: bytes) -> None:
        """See `WasmRuntime.validate`."""
        self._runtime.validate(wasm)

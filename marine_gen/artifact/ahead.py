"""Machine code that is made beside the Python of the compiler: Wasmtime compiles without the GIL."""

from __future__ import annotations

import threading

from marine_runtime.wasm import Module, WasmRuntime, new_lock, start_own_thread

_STACK = 1 << 20
"""Bytes of stack that a thread has to have."""


class Ahead:
    """Modules that are compiled by threads of their own until they are asked for."""

    def __init__(self, runtime: WasmRuntime) -> None:
        runtime.prepare_compiling()
        self._runtime = runtime
        self._begun: dict[bytes, _Compiling] = {}

    def begin(self, wasm: bytes) -> None:
        """Compile `wasm` in a thread, where the system gives one with enough stack."""
        if 0 < threading.stack_size() < _STACK or wasm in self._begun:
            return
        compiling = _Compiling(self._runtime, wasm)
        try:
            start_own_thread(compiling.run)
        except RuntimeError:  # no thread is left
            return
        self._begun[wasm] = compiling

    def compile(self, wasm: bytes) -> Module:
        """The compiled module; see `WasmRuntime.compile`."""
        compiling = self._begun.pop(wasm, None)
        return self._runtime.compile(wasm) if compiling is None else compiling.wait()

    def validate(self, wasm: bytes) -> None:
        """See `WasmRuntime.validate`."""
        self._runtime.validate(wasm)


class _Compiling:
    """The compiling of one module. A thread that nobody asks for its result any more ends by itself."""

    def __init__(self, runtime: WasmRuntime, wasm: bytes) -> None:
        self._runtime = runtime
        self._wasm = wasm
        self._over = new_lock()
        self._over.acquire()
        self._made: Module | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Compile, in the thread."""
        try:
            self._made = self._runtime.compile(self._wasm)
        except BaseException as error:
            self._error = error
        finally:
            self._over.release()

    def wait(self) -> Module:
        """The result; raises the error, or what the handler of a signal raises meanwhile."""
        self._over.acquire()
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

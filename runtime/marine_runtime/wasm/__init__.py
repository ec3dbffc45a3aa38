"""Wasmtime behind one small interface; nothing outside this package names it.

`api` and `memory` declare what the rest of the runtime uses. `store` compiles to a `module` and instantiates it through
wasmtime's public API. How a core function is called, how a Python function becomes an import and how memory is reached
is left to a *call layer*: `fast` (our own prototypes of the C API) or `public` (the binding's public API, the fallback
and the baseline). `ffi` is the only file that touches private names of the binding.
"""

from marine_runtime.wasm.api import Codes
from marine_runtime.wasm.memory import Memory
from marine_runtime.wasm.module import Module
from marine_runtime.wasm.store import Instance, Store, WasmRuntime, assemble, open_runtime

__all__ = ["Codes", "Instance", "Memory", "Module", "Store", "WasmRuntime", "assemble", "open_runtime"]

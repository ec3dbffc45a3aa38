"""Wasmtime behind one small interface; nothing outside this package names it.

`api` and `memory` declare what the rest of the runtime uses. `store` compiles to a `module` and instantiates it through
wasmtime's public API. How a core function is called, how a Python function becomes an import and how memory is reached
is left to a *call layer*: `fast` (our own prototypes of the C API) or `public` (the binding's public API, the fallback
and the baseline). `ffi` is the only file that touches private names of the binding.

What is listed here is the interface for the compiler too; what no call needs is imported when it is asked for.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING
from marine_runtime.wasm.api import Codes, signature_of, signed_codes
from marine_runtime.wasm.compiling import Compiling, has_stack
from marine_runtime.wasm.memory import FACTOR, FLOOR, MANY, STEP, Memory
from marine_runtime.wasm.module import Module
from marine_runtime.wasm.runtime import CodeMemoryError, WasmRuntime, assemble
from marine_runtime.wasm.runtimes import open_runtime
from marine_runtime.wasm.speedups import problem as speedups_problem
from marine_runtime.wasm.speedups import turned_off as speedups_turned_off
from marine_runtime.wasm.store import Instance, Store
from marine_runtime.wasm.tables import LIFTED, START_HOOK, TABLE_HOOK, initial_table_elements

if TYPE_CHECKING:
    from marine_runtime.wasm.baseline import problem as baseline_problem
    from marine_runtime.wasm.installed import wasmtime_version
    from marine_runtime.wasm.refusals import RefusedModuleError

__all__ = [
    "FACTOR",
    "FLOOR",
    "LIFTED",
    "MANY",
    "START_HOOK",
    "STEP",
    "TABLE_HOOK",
    "CodeMemoryError",
    "Codes",
    "Compiling",
    "Instance",
    "Memory",
    "Module",
    "RefusedModuleError",
    "Store",
    "WasmRuntime",
    "assemble",
    "baseline_problem",
    "has_stack",
    "initial_table_elements",
    "open_runtime",
    "signature_of",
    "signed_codes",
    "speedups_problem",
    "speedups_turned_off",
    "wasmtime_version",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.wasm.installed": ("wasmtime_version",),
        "marine_runtime.wasm.refusals": ("RefusedModuleError",),
    },
    {"baseline_problem": ("marine_runtime.wasm.baseline", "problem")},
)

"""Wasmtime's C API without wasmtime-py: what the fast layer runs on.

What is listed here has the names and the behaviour that the public API of wasmtime-py has.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING
from marine_runtime.wasm.capi.faults import ExitTrap, Trap, WasmtimeError
from marine_runtime.wasm.capi.objects import Config, wat2wasm
from marine_runtime.wasm.capi.objects import NativeEngine as Engine
from marine_runtime.wasm.capi.objects import NativeInstance as Instance
from marine_runtime.wasm.capi.objects import NativeMemory as Memory
from marine_runtime.wasm.capi.objects import NativeModule as Module
from marine_runtime.wasm.capi.objects import NativeStore as Store

if TYPE_CHECKING:
    from marine_runtime.wasm.capi.wasi import Linker, WasiConfig

__all__ = [
    "Config",
    "Engine",
    "ExitTrap",
    "Instance",
    "Linker",
    "Memory",
    "Module",
    "Store",
    "Trap",
    "WasiConfig",
    "WasmtimeError",
    "wat2wasm",
]


__getattr__, __dir__ = exports(__name__, {"marine_runtime.wasm.capi.wasi": ("Linker", "WasiConfig")})

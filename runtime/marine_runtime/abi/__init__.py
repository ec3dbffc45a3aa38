"""The ABI between a module's adapters and its core Wasm: layouts, helper functions, link plans.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from marine_runtime.abi.plan import Callee, ModulePlan

__all__ = [
    "Callee",
    "ModulePlan",
]

"""The intermediate representation: adapters as typed operations on named values, without a stack.

`model` is the data, `resolve` the index spaces of a module, `build` executes the operand stack symbolically and finds
every typing error, `verify` checks the invariants between passes, `printer` writes the one printed form.
"""

from marine_gen.ir.build import build_module
from marine_gen.ir.model import AdapterIR, ModuleIR
from marine_gen.ir.printer import print_adapter, print_module
from marine_gen.ir.verify import verify_module

__all__ = [
    "AdapterIR",
    "ModuleIR",
    "build_module",
    "print_adapter",
    "print_module",
    "verify_module",
]

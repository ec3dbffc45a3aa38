"""The intermediate representation: adapters as typed operations on named values, without a stack.

`model` is the data, `resolve` the index spaces of a module, `build` executes the operand stack symbolically and finds
every typing error, `module` does so for all adapters and leaves out those that are invalid, `verify` checks the
invariants between passes, `printer` writes the one printed form.
"""

from marine_gen.ir.model import AdapterIR, LeftOutAdapter, ModuleIR
from marine_gen.ir.module import build_module
from marine_gen.ir.printer import print_adapter, print_module
from marine_gen.ir.verify import verify_module

__all__ = [
    "AdapterIR",
    "LeftOutAdapter",
    "ModuleIR",
    "build_module",
    "print_adapter",
    "print_module",
    "verify_module",
]

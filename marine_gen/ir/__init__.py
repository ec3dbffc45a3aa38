"""The intermediate representation: adapters as typed operations on named values, without a stack.

`model` is the data, `resolve` the index spaces of a module, `build` executes the operand stack symbolically and finds
every typing error, `verify` checks the invariants between passes, `printer` writes the one printed form. `exposed` is
what others see of a module, without its adapters; `fit` compares a module with a description.
"""

from marine_gen.ir.build import build_module
from marine_gen.ir.model import AdapterIR, ModuleIR
from marine_gen.ir.printer import print_adapter, print_module
from marine_gen.ir.verify import verify_module
from marine_gen.reflect.description import describe_module, module_interface
from marine_gen.reflect.exports import check_exports

__all__ = [
    "AdapterIR",
    "ModuleIR",
    "build_module",
    "check_exports",
    "describe_module",
    "module_interface",
    "print_adapter",
    "print_module",
    "verify_module",
]

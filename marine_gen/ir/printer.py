"""The printed form of the IR: what goldens hold and `explain` shows."""

from __future__ import annotations

from typing import assert_never

from marine_gen.ir.model import (
    AdapterIR,
    AnyOperation,
    Call,
    Constant,
    Convert,
    CoreCallee,
    Lift,
    Lower,
    ModuleIR,
    Size,
    StoreBlock,
)


def print_module(module: ModuleIR) -> str:
    """Every adapter of a module, exports first, with an empty line between them."""
    return "\n".join(print_adapter(adapter) for adapter in module.adapters)


def print_adapter(adapter: AdapterIR) -> str:
    """One adapter: a header, an operation a line with the position of its instruction, the returned values."""
    params = ", ".join(f"{value}: {value.type}" for value in adapter.params)
    lines = [f"{adapter.side.value} {adapter.function}({params})  ; type {adapter.type_index}"]
    for operation in adapter.operations:
        results = ", ".join(f"{value}: {value.type}" for value in operation.results)
        text = print_operation(operation)
        lines.append(f"  #{operation.at:<3} {results} = {text}" if results else f"  #{operation.at:<3} {text}")
    returns = ", ".join(map(str, adapter.returns))
    lines.append(f"  return {returns}" if returns else "  return")
    return "\n".join(lines) + "\n"


def print_operation(operation: AnyOperation) -> str:
    """The right side of one operation."""
    operands = ", ".join(map(str, operation.operands))
    match operation:
        case Constant(value=value):
            return f"const {value}"
        case Convert():
            return f"convert {operands}"
        case Size():
            return f"size {operands}"
        case Lift():
            return f"lift {operation.results[0].type} from ({operands})"
        case StoreBlock():
            return f"store {operation.operands[1]} at {operation.operands[0]}"
        case Lower(type=ty):
            return f"lower {ty} {operands}"
        case Call(callee=callee):
            where = "core" if isinstance(callee, CoreCallee) else "module"
            return f"call {callee.name}({operands})  ; {where} {callee.index}"
        case _:
            assert_never(operation)

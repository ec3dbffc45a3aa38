"""The printed form of fused adapters."""

from __future__ import annotations

from typing import assert_never

from marine_gen.ir.model import Call, Constant, Convert, Lift, Lower, Size, StoreBlock
from marine_gen.ir.printer import print_operation
from marine_gen.passes.model import STAGING, AnyStep, Copy, FusedAdapter, HostCall, Validate, Write, homes


def print_fused(adapter: FusedAdapter) -> str:
    """A fused adapter: each step with the module whose memory and functions it means."""
    home = homes(adapter)
    params = ", ".join(f"{value}: {value.type}" for value in adapter.params)
    lines = [f"fused {adapter.side.value} {adapter.module}: {adapter.function}({params})"]
    modules = dict.fromkeys(step.module for step in adapter.steps)
    width = max((len(_place(module)) for module in modules), default=0)
    for step in adapter.steps:
        results = ", ".join(f"{value}: {value.type}" for value in step.operation.results)
        text = _describe(step.operation, {value: _place(place) for value, place in home.items()})
        lines.append(f"  {_place(step.module):<{width}}  {results + ' = ' if results else ''}{text}")
    returns = ", ".join(map(str, adapter.returns))
    lines.append(f"  return {returns}" if returns else "  return")
    return "\n".join(lines) + "\n"


def _place(module: str) -> str:
    return "staging" if module == STAGING else module


def _describe(operation: AnyStep, home: dict[object, str]) -> str:
    operands = ", ".join(map(str, operation.operands))
    match operation:
        case Validate():
            return f"check {operation.results[0].type} at ({operands})"
        case Copy(type=ty):
            return f"copy {ty} {operands} from {home.get(operation.operands[0], '?')}"
        case Write():
            ptr, value = operation.operands
            return f"write {value} from {home.get(value, '?')} to {ptr}"
        case Call(callee=callee):
            return f"call {callee.name}({operands})"
        case HostCall(callee=callee):
            return f"call {callee.name}({operands}) of the host"
        case Constant() | Convert() | Size() | Lift() | StoreBlock() | Lower():
            return print_operation(operation)
        case _:
            assert_never(operation)

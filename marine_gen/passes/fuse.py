"""Fuse: a lift becomes a check of the value in place, a lower or store becomes a copy between memories.

Legal because nothing looks at an interface value between being lifted and being lowered except `size`, which needs the
length only. The check finds at the same point what the lift would have found: bounds, UTF-8, nesting. The copy makes
the same `allocate` calls, with the same sizes, tags and order, as lowering. That the value is still unchanged when it
is copied is the business of `sink` and the verifier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from marine_gen.ir.model import Call, Constant, Convert, Lift, Lower, Side, Size, StoreBlock, Value
from marine_gen.passes.model import STAGING, Copy, FusedAdapter, HostCall, Step, UnfusableError, Validate, Write
from marine_runtime.abi import is_flat, layout_of


def fuse(adapter: FusedAdapter) -> FusedAdapter:
    """`adapter` without lifting and lowering; results for the host are copied to the staging memory at the end.

    Raises:
        UnfusableError: it returns one of its own arguments, which would be copied from staging to staging.
    """
    steps: list[Step] = []
    for step in adapter.steps:
        operation = step.operation
        match operation:
            case Lift():
                fused: Validate | Copy | Write = Validate(operation.results, operation.operands, operation.at)
            case Lower(type=ty):
                fused = Copy(operation.results, operation.operands, operation.at, ty)
            case StoreBlock():
                fused = Write(operation.results, operation.operands, operation.at)
            case Constant() | Convert() | Size() | Call() | Validate() | Copy() | Write() | HostCall():
                steps.append(step)
                continue
            case _:
                assert_never(operation)
        steps.append(replace(step, operation=fused))
    if adapter.side is Side.IMPORT:
        return replace(adapter, steps=tuple(steps))
    taken = {value.name for step in steps for value in step.operation.results} | {v.name for v in adapter.params}
    returns: list[Value] = []
    for value in adapter.returns:
        if is_flat(value.type):
            returns.append(value)
            continue
        if value in adapter.params:
            raise UnfusableError("it returns one of its own arguments")
        last = adapter.steps[-1]
        parts = zip(("out", "len"), layout_of(value.type).carrier, strict=False)
        results = tuple(Value(_free(f"{value.name}_{part}", taken), core) for part, core in parts)
        copy = Copy(results, (value,), last.operation.at, value.type)
        steps.append(Step(copy, STAGING, last.trail[:1]))
        returns += results
    return replace(adapter, steps=tuple(steps), returns=tuple(returns))


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name

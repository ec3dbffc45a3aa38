"""The verifier of fused adapters: what the passes make passes, and everything that is broken on purpose does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from marine_gen.artifact import compile_module
from marine_gen.ir.model import Call, CoreCallee, ImportedCallee, Lift, Lower, Operation, Size, StoreBlock, Value
from marine_gen.ir.verify import IRError
from marine_gen.passes import (
    STAGING,
    Copy,
    FusedAdapter,
    Step,
    UnfusableError,
    Validate,
    Write,
    print_fused,
    sink_release,
    verify_fused,
)
from marine_gen.passes.model import homes
from marine_gen.passes.pipeline import fuse_adapter
from marine_gen.passes.sink import is_release
from marine_runtime.abi.plan import Callee
from marine_runtime.types import Array, FunctionType, IType, Prim, Record
from tests.support.engines import guest

MODULES = {name: compile_module(name, guest(name)).ir for name in ("donkey", "shrek", "arrays_passing_effector")}
IMPORT = fuse_adapter(MODULES, "shrek", next(iter(MODULES["shrek"].imports.values())))
EXPORT = fuse_adapter(MODULES, "donkey", MODULES["donkey"].exports["greeting"])
ARRAYS = MODULES["arrays_passing_effector"]
NESTED = fuse_adapter(MODULES, ARRAYS.name, ARRAYS.exports["inner_arrays_1"])


def fresh(ty: IType) -> Value:
    return Value("fresh", ty)


def change(adapter: FusedAdapter, kind: type[Operation], edit: Callable[[Step], Step], number: int = 0) -> FusedAdapter:
    """`adapter` with one of its steps of a kind changed."""
    positions = [index for index, step in enumerate(adapter.steps) if type(step.operation) is kind]
    steps = list(adapter.steps)
    steps[positions[number]] = edit(steps[positions[number]])
    return replace(adapter, steps=tuple(steps))


def operation(edit: Callable[[Operation], Operation]) -> Callable[[Step], Step]:
    return lambda step: replace(step, operation=edit(step.operation))


def move(adapter: FusedAdapter, start: int, end: int) -> FusedAdapter:
    """`adapter` with the step at `start` moved to `end`."""
    steps = list(adapter.steps)
    steps.insert(end, steps.pop(start))
    return replace(adapter, steps=tuple(steps))


def position(adapter: FusedAdapter, kind: type[Operation], number: int = 0) -> int:
    return [index for index, step in enumerate(adapter.steps) if type(step.operation) is kind][number]


def test_what_the_passes_make_is_accepted() -> None:
    for adapter in (IMPORT, EXPORT, NESTED):
        verify_fused(adapter)


ELSEWHERE = ImportedCallee(9, Callee("other", "f", FunctionType()))
TEXT = next(value for value in homes(EXPORT) if homes(EXPORT)[value] == "donkey")

BROKEN: dict[str, FusedAdapter] = {
    "an operand that comes later": replace(EXPORT, steps=EXPORT.steps[::-1]),
    "an operand from nowhere": change(
        EXPORT, Size, operation(lambda item: replace(item, operands=(fresh(Prim.STRING),)))
    ),
    "a value defined twice": replace(EXPORT, steps=(*EXPORT.steps, EXPORT.steps[0])),
    "a name used twice": change(
        EXPORT, Size, operation(lambda item: replace(item, results=(Value("name", Prim.I32),)))
    ),
    "a lift that is left": change(EXPORT, Validate, operation(lambda item: Lift(item.results, item.operands, item.at))),
    "a store that is left": change(
        EXPORT, Write, operation(lambda item: StoreBlock(item.results, item.operands, item.at))
    ),
    "a lower that is left": change(
        NESTED, Copy, operation(lambda item: Lower(item.results, item.operands, item.at, Array(Prim.U8)))
    ),
    "a call that was not inlined": change(
        EXPORT,
        Call,
        operation(lambda item: replace(item, callee=ELSEWHERE)),
        1,  # type: ignore[call-arg]
    ),
    "a call with a remote value": change(
        EXPORT, Call, operation(lambda item: replace(item, operands=(EXPORT.params[0],))), 1
    ),
    "a copy of a number": change(NESTED, Copy, operation(lambda item: replace(item, operands=(fresh(Prim.I32),)))),
    "a copy of a value that lies nowhere": change(
        EXPORT, Copy, operation(lambda item: replace(item, operands=(EXPORT.steps[0].operation.results[0],)))
    ),
    "a copy from staging to staging": change(
        EXPORT, Copy, operation(lambda item: replace(item, operands=(EXPORT.params[0],)))
    ),
    "a copy without a length": change(EXPORT, Copy, operation(lambda item: replace(item, results=item.results[:1]))),
    "a copy of a record with a length": change(
        EXPORT,
        Copy,
        operation(lambda item: replace(item, type=Record(0))),  # type: ignore[call-arg]
    ),
    "a check in staging": change(EXPORT, Validate, lambda step: replace(step, module=STAGING)),
    "a returned value from nowhere": replace(EXPORT, returns=(fresh(Prim.I32),)),
    "a returned value that is remote": replace(EXPORT, returns=(TEXT,)),
    "an import adapter that returns an interface value": replace(
        IMPORT, params=(*IMPORT.params, fresh(Prim.U8)), returns=(fresh(Prim.U8),)
    ),
}


@pytest.mark.parametrize("adapter", BROKEN.values(), ids=BROKEN)
def test_broken_adapters_are_rejected(adapter: FusedAdapter) -> None:
    with pytest.raises(IRError, match=r"fused (ex|im)port adapter of `.*`: violated: "):
        verify_fused(adapter)


def test_values_that_may_have_changed_are_refused() -> None:
    """Each of these moves is one that a wrong pass could make."""
    release = next(index for index, step in enumerate(IMPORT.steps) if is_release(step))
    check, write = position(IMPORT, Validate), position(IMPORT, Write)
    assert (IMPORT.steps[check].module, IMPORT.steps[write].module) == ("shrek", "donkey")
    assert IMPORT.steps[release].module == "shrek"
    with pytest.raises(UnfusableError, match="runs code of module `shrek` between lifting a value and lowering it"):
        verify_fused(move(IMPORT, release, write))
    verify_fused(move(IMPORT, release, check))  # released before it is looked at: nothing touches it afterwards
    last = position(EXPORT, Call, -1)
    assert is_release(EXPORT.steps[last])
    with pytest.raises(UnfusableError, match="runs code of module `donkey`"):
        verify_fused(move(EXPORT, last, position(EXPORT, Copy)))


def test_modules_that_can_be_reached_count() -> None:
    """A call of one module may run code of another one that its guest calls."""
    step = EXPORT.steps[position(EXPORT, Call, 1)]
    assert isinstance(step.operation, Call)
    stranger = Step(Call((), (), step.operation.at, CoreCallee(6, "f", FunctionType())), "swamp", step.trail)
    steps = list(EXPORT.steps)
    steps.insert(position(EXPORT, Copy), stranger)
    unrelated = replace(EXPORT, steps=tuple(steps))
    verify_fused(unrelated)
    related = replace(unrelated, reach={"swamp": frozenset({"donkey"})})
    with pytest.raises(UnfusableError, match="runs code of module `donkey`"):
        verify_fused(related)
    # `allocate` is trusted.
    allocating = replace(
        stranger, operation=replace(stranger.operation, callee=CoreCallee(0, "allocate", FunctionType()))
    )
    steps[steps.index(stranger)] = allocating
    verify_fused(replace(related, steps=tuple(steps)))


def test_reach_is_found() -> None:
    assert IMPORT.reach == {"shrek": frozenset({"donkey"}), "donkey": frozenset()}
    assert EXPORT.reach == {"donkey": frozenset()}


def test_sinking_twice_changes_nothing() -> None:
    for adapter in (IMPORT, EXPORT, NESTED):
        assert print_fused(sink_release(adapter)) == print_fused(adapter)

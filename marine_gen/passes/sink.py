"""Sink release: `release_objects` of a module moves behind the last copy out of that module's memory.

Adapters release a module's objects right after lifting; fused adapters still need them, because they copy later. The
move is legal because no code of that module runs in between, neither called by the adapter nor by guests that the
adapter calls: it can't see the difference. From every module's own point of view the sequence of ABI calls is
unchanged; only the interleaving of calls into different modules differs, which modules that share nothing can't
observe. When an allocation fails before the copy, the release does not happen at all; the call has failed then.
`allocate` is trusted to do nothing but allocate: a caller's that called its own imports could change a value of its
callee that is just being copied to it.

Where code of the module would run in between, the value would have to be staged: the adapter stays a closure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from marine_gen.ir.model import Call, CoreCallee
from marine_gen.passes.model import Copy, FusedAdapter, HostCall, Step, UnfusableError, homes
from marine_runtime.abi import AbiHelper


def sink_release(adapter: FusedAdapter) -> FusedAdapter:
    """`adapter` with every release behind the last use of what it would free.

    Raises:
        UnfusableError: other code of the module would run between a release and the last use.
    """
    home = homes(adapter)
    steps = list(adapter.steps)
    position = len(steps) - 1
    while position >= 0:  # from the end, so that a moved release is not met again
        step = steps[position]
        if is_release(step):
            checked = {value for earlier in steps[:position] for value in earlier.operation.results}
            last = position
            for later in range(position + 1, len(steps)):
                operands = steps[later].operation.operands
                if any(value in checked and home.get(value) == step.module for value in operands):
                    last = later
            for between in steps[position + 1 : last + 1]:
                if runs_code_of(step.module, between, adapter.reach):
                    frame = between.trail[-1]
                    raise UnfusableError(
                        f"`{frame.text}` runs code of module `{step.module}` while a value in its memory, "
                        "already released, is still needed"
                    )
            steps.insert(last, steps.pop(position))
        position -= 1
    return replace(adapter, steps=tuple(steps))


def is_release(step: Step) -> bool:
    """True if `step` calls `release_objects` of its module."""
    operation = step.operation
    return (
        isinstance(operation, Call)
        and isinstance(operation.callee, CoreCallee)
        and operation.callee.name == AbiHelper.RELEASE_OBJECTS.export
        and not operation.operands
        and not operation.results
    )


def runs_code_of(module: str, step: Step, reach: Mapping[str, frozenset[str]]) -> bool:
    """True if `step` may run code of `module`.

    It does when it allocates in that module's memory, or calls a core function of it or of a module whose guest can
    call it; see `FusedAdapter.reach`. Functions of the host can't call the service that calls them.
    """
    operation = step.operation
    if isinstance(operation, HostCall):  # modules that come earlier may be behind it, its caller's own never
        return step.module != module
    if not isinstance(operation, (Call, Copy)):
        return False
    if step.module == module:
        return True
    allocates = isinstance(operation, Copy) or operation.callee.index == AbiHelper.ALLOCATE
    return not allocates and module in reach.get(step.module, ())

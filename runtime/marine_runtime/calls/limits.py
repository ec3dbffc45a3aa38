"""Limits of a service, and the errors of exceeding them.

A refused growth does not fail by itself: the guest sees -1. Only when the operation during which it happened fails is
the limit named, so that a refusal which a guest survives is never blamed for
something else (docs/spec/calls.md#memory-limit).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from marine_runtime.config.checks import check_seconds
from marine_runtime.errors import (
    ArgumentError,
    CallError,
    CallTimeoutError,
    FuelLimitError,
    LinkError,
    LoadError,
    MemoryLimitError,
)
from marine_runtime.texts.messages import counted, shortened
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.stack import thread_stack

OWN_LIMIT = (CallTimeoutError, FuelLimitError)
"""Errors that name a limit already, so that memory is not to blame."""

MAX_FUEL = 2**64 - 1
"""The most fuel that a call can have."""

_SMALLEST_STACK = 1 << 16
_LARGEST_STACK = 1 << 30  # where the thread's is unlimited


def blame(error: CallError | LoadError, rejects: int, budget: Budget) -> MemoryLimitError:
    """The error of an operation that failed with `error` after `rejects` growths of `budget` were refused."""
    limit = budget.limit
    times = "a growth of memory was" if rejects == 1 else f"{rejects} growths of memory were"
    allowed = "" if limit is None else f" by the limit of {counted(limit, 'byte')}"
    if budget.reason:
        allowed = f" by the system: {budget.reason}"
    if isinstance(error, CallError):
        reason, site, path = error.reason, error.site, error.path
    else:
        reason, site, path = str(error), None, "$"
    made = MemoryLimitError(f"{times} refused{allowed}, then: {reason}", site, path)
    made.rejects, made.limit = rejects, limit
    made.__cause__ = error
    return made


@contextmanager
def blaming(budget: Budget | None) -> Iterator[None]:
    """Name the limit when this fails to load something after a growth was refused."""
    before = budget.rejects if budget else 0
    try:
        yield
    except (CallError, LinkError) as error:
        if budget is None or budget.rejects == before or isinstance(error, OWN_LIMIT):
            raise
        raise blame(error, budget.rejects - before, budget) from error


def check_timeout(timeout: float) -> float:
    """`timeout` in seconds, when it is a positive number.

    Raises:
        ArgumentError: it is not.
    """
    return check_seconds(timeout, "a time limit")


def check_fuel(fuel: int) -> int:
    """`fuel` in units, when it is an integer from 1 to `MAX_FUEL`.

    Raises:
        ArgumentError: it is not.
    """
    if isinstance(fuel, bool) or not isinstance(fuel, int) or not 0 < fuel <= MAX_FUEL:
        raise ArgumentError(f"fuel must be a positive integer below 2^64, not {shortened(repr(fuel))}")
    return fuel


def check_stack(size: int | None) -> int | None:
    """`size` in bytes, when this thread has that much stack to spare for Wasm; None stays None.

    Raises:
        LoadError: it is too small to run anything, or takes more than half of the thread's stack.
    """
    if size is None:
        return None
    largest = min(thread_stack() // 2, _LARGEST_STACK)
    if isinstance(size, bool) or not isinstance(size, int) or not _SMALLEST_STACK <= size <= largest:
        raise LoadError(
            f"max_wasm_stack must be from {_SMALLEST_STACK} to {largest} bytes on this thread, not {size!r}"
        )
    return size

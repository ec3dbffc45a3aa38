"""Interruptions of running guests by Python.

While Wasm runs, Python runs nothing, and so no handler of a signal. At its epoch deadline a store asks here, in the
thread of the call. Python runs pending handlers as soon as it is entered. When one raises, that is kept for the call,
and the next question, which follows at once, ends it; so does the end of the guest. A time limit that has passed ends
a call as well.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterator

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm import covered, ffi
from marine_runtime.wasm.capi.library import function
from marine_runtime.wasm.deadline import DeadlineClock
from marine_runtime.wasm.native import monotonic
from marine_runtime.wasm.traps import INTERRUPTED, LEFT_EARLY, Parking

_keys = itertools.count(1)
_FROM_PYTHON = b"interrupted from Python"
_LAST = 100  # errors for calls that are interrupted where Python's stack ends

_asking: dict[int, tuple[Parking, DeadlineClock, Callable[[bytes], int], Iterator[int]]] = {}
"""The stores that ask, by key, each with what ends its calls: the function of C that makes errors, and spare ones for
where Python's stack has no room even for its call. Wasmtime gives the key to the callback, which calls nothing to find
its store."""

_spare: list[Iterator[int]] = []
"""Errors that are taken with `for`, which is no call."""


def problem() -> str | None:
    """The reason why running guests can't be interrupted by Python here, or None."""
    return covered.problem() or ffi.deadline_problem()


def ask_at_deadline(store: Any, parking: Parking, clock: DeadlineClock) -> int:
    """Make `store` ask at its epoch deadline; returns a key for `forget`. Only after `problem()` gave None."""
    key = next(_keys)
    new_error = function("wasmtime_error_new")
    if not _spare:
        _spare.append(iter([new_error(_FROM_PYTHON) for _ in range(_LAST)]))
    _asking[key] = parking, clock, new_error, _spare[0]
    ffi.set_deadline_callback(store, _callback, key)
    return key


def forget(key: int) -> None:
    """A store that asks has been closed."""
    _asking.pop(key, None)


@covered.covered
def _at_deadline(context: int, key: int, delta: Any, kind: int) -> int:
    """Called by Wasmtime: the address of the error that ends the call, or 0, with the ticks until the next question."""
    try:
        parking, clock, new_error, _ = _asking[key]
        if parking.exception is not None:
            return new_error(_FROM_PYTHON)
        if parking.deadline is None:
            delta[0] = 1
        elif parking.deadline <= monotonic():
            return new_error(INTERRUPTED)
        else:
            delta[0] = clock.ticks_until(parking.deadline)
    except BaseException as error:
        # Nothing here may call: a second signal would be handled, and what it raises reach C. The ticks stay 0.
        if _asking[key][0].exception is not None:
            for address in _asking[key][3]:
                return address
        _asking[key][0].exception = error
        _asking[key][0].trap[0] = LEFT_EARLY
    return 0


_callback = ffi.DeadlineCallback(_at_deadline)
_kept = ctypes.pythonapi.Py_IncRef(ctypes.py_object(_callback))  # a call may run until the very end of the process

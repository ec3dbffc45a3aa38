"""Interruptions of running guests by Python.

While Wasm runs, Python runs nothing, and so no handler of a signal. At its epoch deadline a store asks here, in the
thread of the call. Python runs pending handlers as soon as it is entered. When one raises, that is kept for the call,
and the next question, which follows at once, ends it; so does the end of the guest. A time limit that has passed ends
a call as well.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

from marine_runtime.wasm import covered, ffi
from marine_runtime.wasm.deadline import DeadlineClock
from marine_runtime.wasm.native import monotonic
from marine_runtime.wasm.traps import INTERRUPTED, LEFT_EARLY, Parking

_keys = itertools.count(1)
_asking: dict[int, tuple[Parking, DeadlineClock]] = {}
"""The stores that ask, by key. Wasmtime gives it to the callback, which has to find its store without a call."""


def problem() -> str | None:
    """The reason why running guests can't be interrupted by Python here, or None."""
    return covered.problem() or ffi.deadline_problem()


def ask_at_deadline(store: Any, parking: Parking, clock: DeadlineClock) -> int:
    """Make `store` ask at its epoch deadline; returns a key for `forget`. Only after `problem()` gave None."""
    key = next(_keys)
    _asking[key] = parking, clock
    ffi.set_deadline_callback(store, _callback, key)
    return key


def forget(key: int) -> None:
    """A store that asks has been closed."""
    _asking.pop(key, None)


@covered.covered
def _at_deadline(context: int, key: int, delta: Any, kind: int) -> int:
    """Called by Wasmtime: the address of the error that ends the call, or 0, with the ticks until the next question."""
    try:
        parking, clock = _asking[key]
        if parking.exception is not None:
            return ffi.new_error(b"interrupted from Python")
        if parking.deadline is None:
            delta[0] = 1
        elif parking.deadline <= monotonic():
            return ffi.new_error(INTERRUPTED)
        else:
            delta[0] = clock.ticks_until(parking.deadline)
    except BaseException as error:
        # Nothing here may call: a second signal would be handled, and what it raises reach C. The ticks stay 0.
        _asking[key][0].exception = error
        _asking[key][0].trap[0] = LEFT_EARLY
    return 0


_callback = ffi.DeadlineCallback(_at_deadline)
_kept = ctypes.pythonapi.Py_IncRef(ctypes.py_object(_callback))  # a call may run until the very end of the process

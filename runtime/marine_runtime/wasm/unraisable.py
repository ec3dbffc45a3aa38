"""Exceptions of signal handlers that the binding's own callbacks lose.

Where C enters Python, handlers of pending signals run before the first line, and what they raise leaves the callback:
Python hands it to `sys.unraisablehook`, and C goes on. Callbacks of the runtime are `covered` instead. Those of the
binding, which the call layer `public` uses, are not, so the hook is ours while one may run. It keeps what comes from
there for the running call, and passes on everything else.

That is too late for the callback under imports: what it returns to C then is undefined, and Wasmtime may free it as a
trap. So the code of that one is put into a covered function (`cover_binding`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import cache
from types import FunctionType, TracebackType

import wasmtime

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm import ffi
from marine_runtime.wasm.covered import covered, problem
from marine_runtime.wasm.traps import LEFT_EARLY, Parking

_BINDING = wasmtime.Func.__module__


class _Running(threading.local):
    """The place for what the innermost call of a thread loses; None while the program uses the binding itself."""

    parking: Parking | None = None


_running = _Running()


@covered
def _covering(
    index: Any,
    caller: Any,
    params: Any,
    nparams: Any,
    results: Any,
    nresults: Any,
    original: Any = None,
    running: Any = None,
    left_early: int = LEFT_EARLY,
) -> Any:
    try:
        return original(index, caller, params, nparams, results, nresults)
    except BaseException as error:
        # Nothing here may call: a second signal would be handled, and what it raises reach C.
        if running.parking is None:
            raise  # as it leaves the binding without the runtime
        running.parking.exception, running.parking.trap[0] = error, left_early
        return 0


@cache
def cover_binding() -> bool:
    """Let no exception leave the binding's callback under imports; False where it is not as expected."""
    callback = ffi.binding_callback()
    if callback is None or problem() is not None or callback.__code__.co_argcount != 6 or callback.__defaults__:
        return False
    original = FunctionType(callback.__code__, callback.__globals__, callback.__name__)
    callback.__defaults__ = original, _running, LEFT_EARLY
    callback.__code__ = _covering.__code__
    return True


class KeptReports:
    """While this lasts, exceptions that the binding's callbacks lose are parked, and end the running call.

    Handlers run in the main thread, so in others it does nothing.
    """

    __slots__ = ("_before", "_hook", "_outer", "_parking")

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        self._before: Callable[[Any], object] | None = None
        self._hook: Callable[[Any], object] | None = None
        self._outer = _running.parking

    def __enter__(self) -> None:
        _running.parking = self._parking
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = sys.unraisablehook
        self._hook = hook = self._report
        sys.unraisablehook = hook

    @covered
    def __exit__(self, *_: object) -> None:
        try:
            if self._hook is not None and sys.unraisablehook is self._hook and self._before is not None:
                sys.unraisablehook = self._before
        finally:
            self._hook = None
            _running.parking = self._outer

    @covered
    def _report(self, report: Any) -> None:
        try:
            if self._hook is not None and report.exc_value is not None and _from_binding(report.exc_traceback):
                self._parking.exception, self._parking.trap[0] = report.exc_value, LEFT_EARLY
            elif self._before is not None:
                self._before(report)
        except BaseException as error:  # of a second signal
            self._parking.exception, self._parking.trap[0] = error, LEFT_EARLY


def _from_binding(traceback: TracebackType | None) -> bool:
    """True if the exception left a callback of the binding: that frame is the first."""
    return traceback is not None and traceback.tb_frame.f_globals.get("__name__") == _BINDING

"""Exceptions of signal handlers that the binding's own callbacks lose.

Where C enters Python, handlers of pending signals run before the first line, and what they raise leaves the callback:
Python hands it to `sys.unraisablehook`, and C goes on. Callbacks of the runtime are `covered` instead. Those of the
binding, which the call layer `public` uses, are not, so the hook is ours while one may run. It keeps what comes from
there for the running call, and passes on everything else.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import wasmtime

from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.traps import LEFT_EARLY, Parking

_BINDING = wasmtime.Func.__module__


class KeptReports:
    """While this lasts, exceptions that the binding's callbacks lose are parked, and end the running call.

    Handlers run in the main thread, so in others it does nothing.
    """

    __slots__ = ("_before", "_hook", "_parking")

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        self._before: Callable[[Any], object] | None = None
        self._hook: Callable[[Any], object] | None = None

    def __enter__(self) -> None:
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

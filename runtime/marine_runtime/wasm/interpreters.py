"""Interpreters in which the runtime does not work: sub-interpreters, and those without the GIL.

Wasmtime calls back through `ctypes`, which enters the main interpreter. And the store of a service, the clock and the
exception tables of callbacks rely on one thread at a time running Python.
"""

from __future__ import annotations

import ctypes
import sys


def problem() -> str | None:
    """The reason why the runtime does not work in this interpreter, with what to do, or None."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "it needs the GIL, which this Python runs without: start it with `-X gil=1`, or use a build that has it"
    python = ctypes.pythonapi
    current, number = python.PyInterpreterState_Get, python.PyInterpreterState_GetID
    current.restype, number.argtypes, number.restype = ctypes.c_void_p, (ctypes.c_void_p,), ctypes.c_int64
    if number(current()) != 0:
        return "it works in the main interpreter of a process alone, not in sub-interpreters: use a process for each"
    return None

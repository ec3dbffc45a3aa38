"""Functions that are interrupted, as by the handler of a signal."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Any, NoReturn


class StopError(BaseException):
    """Raised at the entry."""


def entered(function: Callable[[], Any]) -> Any:
    """The result of `function` when StopError is raised where it is entered."""
    raise_in = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )
    calls: tuple[Callable[[], Any], ...] = (partial(raise_in, get_ident(), StopError), function)
    return list(map(operator.call, calls))[1]


def interrupt(*_: object, **__: object) -> NoReturn:
    """Stand in for a function in which the handler of a signal raises."""
    raise StopError

"""Room on Python's stack: compiling types that nest deeply takes more than a caller may have left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Thread
from types import FrameType
from typing import TypeVar

_T = TypeVar("_T")

_FEW = 100
"""Frames that a caller may use of the stack."""


def with_room(work: Callable[[], _T]) -> _T:
    """Run `work`; where the caller uses much of the stack, in a thread, which has all of it.

    So what is fused does not depend on the caller. `work` must be something that can be done again, where the stack was
    too short all the same, and that belongs to no thread.

    Raises:
        RecursionError: it needs more than Python's recursion limit (`sys.setrecursionlimit`) allows.
    """
    if not _is_deep():
        try:
            return work()
        except RecursionError:
            pass
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, name="marine-gen compiler", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _is_deep() -> bool:
    frame: FrameType | None = sys._getframe()
    for _ in range(_FEW):
        if frame is None:
            return False
        frame = frame.f_back
    return True

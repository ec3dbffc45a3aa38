"""Forks of this process, also those of which Python does not know.

`os.fork` runs the hooks of `os.register_at_fork`. A program that embeds Python may fork without them, as uWSGI does
unless it is told otherwise. So what relies on threads or locks of the parent asks here before it does.
"""

from __future__ import annotations

import mmap
import os
import sys
from _thread import RLock, get_ident
from collections.abc import Callable

from marine_runtime.lazy.typing import Any

_WIPE_ON_FORK = 18  # of Linux's `madvise`; the module `mmap` has no name for it


def _wiped_on_fork() -> Any:
    """A page of zeros that is one of zeros in forks again; elsewhere a byte: 1 if the system has no forks, or 0."""
    if sys.platform != "linux":
        return bytes([not hasattr(os, "fork")])
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except OSError:  # an old kernel, or no memory
        return bytes(1)
    return page


class _Process:
    """The process that has run the actions.

    Attributes:
        number: its number.
        beginner: the thread that is running them, or 0.
        page: its first byte is 1 if this process is known to be no fork; to read it is faster than `getpid`.
    """

    number = os.getpid()
    beginner = 0
    page = _wiped_on_fork()


_actions: list[Callable[[], object]] = []
_beginning: dict[int, Any] = {}  # a lock for each process, as nobody may be left to release that of the parent


def begin_in_child(action: Callable[[], object]) -> None:
    """Run `action` in every forked process, before it uses what `action` sets right. It may run more than once."""
    _actions.append(action)


def notice() -> None:
    """Run the actions in a process that was forked without Python's hooks."""
    if not _Process.page[0]:
        _look()


def _look() -> None:
    number = os.getpid()
    if number != _Process.number:
        if _Process.beginner == get_ident():  # an action asks
            return
        with _beginning.setdefault(number, RLock()):  # other threads wait until everything is right
            if number != _Process.number:
                _begin()
    if isinstance(_Process.page, mmap.mmap):
        _Process.page[0] = 1


def _begin() -> None:
    """Run all actions. When one raises, as the handler of a signal may, the next look runs all of them again."""
    _Process.beginner = get_ident()
    try:
        for action in _actions:
            action()
        _Process.number = os.getpid()
    finally:
        _Process.beginner = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)

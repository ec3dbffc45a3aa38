"""Threads and the clock of the operating system, even if a program has replaced those of the standard library.

`gevent.monkey.patch_all()` makes `threading` start greenlets and its locks switch between them. What has to go on
while a guest runs, or must not switch while one is on the stack, needs the real things. Tests of programs put a clock
that stands still into every module that has a function of `time`: no time limit would ever be over.
"""

from __future__ import annotations

import sys
import time
from _thread import LockType
from collections.abc import Callable
from functools import partial
from typing import Any

monotonic: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else partial(time.monotonic)
)
"""Seconds of a clock that nobody sets, as `time.monotonic`."""

_signal: Any = __import__("_signal")  # `signal` imports much

_FAULTS = {getattr(_signal, name, 0) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT")}
"""Signals that tell a thread what it does wrong."""


def start_thread(target: Callable[..., object], *args: Any) -> None:
    """Run `target` in a thread of the operating system that no program waits for at its end.

    Raises:
        RuntimeError: the system has no thread left, or the interpreter is about to end.
    """
    _original("_thread", "start_new_thread")(target, args)


def start_own_thread(target: Callable[[], object]) -> None:
    """The same for a thread that runs nothing of the program, and so takes no signals: those that the program blocks
    later, to wait for them, would come here and end the process.
    """
    if not hasattr(_signal, "pthread_sigmask"):
        start_thread(target)
        return
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
    try:  # the thread inherits the mask: signals may come before it has run its first line
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals() - _FAULTS)
        start_thread(target)
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def new_lock() -> LockType:
    """A lock between such threads."""
    made: LockType = _original("_thread", "allocate_lock")()
    return made


def new_rlock() -> Any:
    """A lock between such threads that its owner may take again, as a signal handler does."""
    return _original("_thread", "RLock")()


def thread_ident() -> int:
    """The identifier of the current one of such threads."""
    found: int = _original("_thread", "get_ident")()
    return found


def may_start(count: int) -> bool:
    """True if the system gives this process `count` threads more at the same time. It is tried."""
    hold, ended = new_lock(), new_lock()
    hold.acquire()
    ended.acquire()
    begun = 0

    def wait() -> None:
        nonlocal begun
        with hold:
            begun -= 1
            if not begun:
                ended.release()

    try:
        for _ in range(count):
            start_thread(wait)
            begun += 1
    except RuntimeError:
        return False
    else:
        return True
    finally:
        last = not begun
        hold.release()
        if not last:
            ended.acquire()  # they are gone, or about to be


def has_greenlets() -> bool:
    """True if there may be greenlets in this process."""
    return "greenlet" in sys.modules


def _original(module: str, name: str) -> Any:
    """`module.name` as it was before gevent patched it."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    __import__(module)
    return getattr(sys.modules[module], name)

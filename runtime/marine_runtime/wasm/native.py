"""Threads and the clock of the operating system, even if a program has replaced those of the standard library.

`gevent.monkey.patch_all()` makes `threading` start greenlets and its locks switch between them. What has to go on
while a guest runs, or must not switch while one is on the stack, needs the real things. Tests of programs put a clock
that stands still into every module that has a function of `time`: no time limit would ever be over.
"""

from __future__ import annotations

import sys
import time
from _queue import SimpleQueue  # the module `queue` has gevent's where that patched it
from _thread import LockType
from collections.abc import Callable
from functools import partial
from weakref import ref

from marine_runtime.lazy.typing import Any

monotonic: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else partial(time.monotonic)
)
"""Seconds of a clock that nobody sets, as `time.monotonic`."""

_signal: Any = __import__("_signal")  # `signal` imports much

_FAULTS = {getattr(_signal, name, 0) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT")}
"""Signals that tell a thread what it does wrong."""


class _Token:
    """Exists as long as a thread."""

    __slots__ = ("__weakref__",)


class Witness:
    """Tells when a thread is over, also one that never ran a line, as there was no memory for its first frame.

    Args:
        tell: is called then, in any thread and perhaps without memory: a function of C, such as a queue's `put`.
    """

    __slots__ = ("_reference", "_token")

    def __init__(self, tell: Callable[[object], object]) -> None:
        self._token: _Token | None = _Token()
        self._reference = ref(self._token, tell)

    def hand_over(self) -> object:
        """The object that the thread has to hold."""
        token, self._token = self._token, None
        return token


def start_thread(target: Callable[..., object], *args: Any, witness: Witness | None = None) -> None:
    """Run `target` in a thread of the operating system that no program waits for at its end.

    `witness`, which has to be kept, tells when it is over.

    Raises:
        RuntimeError: the system has no thread left, or the interpreter is about to end.
    """
    start = _original("_thread", "start_new_thread")
    if witness is None:
        start(target, args)
    else:
        start(_run, (target, args, witness.hand_over()))


def _run(target: Callable[..., object], args: tuple[Any, ...], token: object) -> None:
    try:
        target(*args)
    finally:
        del token  # the traceback of an error that `target` keeps would hold it


def start_own_thread(target: Callable[[], object], *, witness: Witness | None = None) -> None:
    """The same for a thread that runs nothing of the program, and so takes no signals: those that the program blocks
    later, to wait for them, would come here and end the process.
    """
    if not hasattr(_signal, "pthread_sigmask"):
        start_thread(target, witness=witness)
        return
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
    try:  # the thread inherits the mask: signals may come before it has run its first line
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals() - _FAULTS)
        start_thread(target, witness=witness)
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


def may_begin() -> bool:
    """True if a thread that the system starts runs too. It is tried: `threading` waits for ever for one that does not.

    Raises:
        RuntimeError: as `start_thread`.
    """
    over: SimpleQueue[object] = SimpleQueue()
    witness, ran = Witness(over.put), new_lock()
    start_thread(ran.acquire, witness=witness)
    over.get()
    return ran.locked()


def may_start(count: int) -> bool:
    """True if the system gives this process `count` threads more at the same time. It is tried."""
    hold = new_lock()
    ended: SimpleQueue[object] = SimpleQueue()
    begun: list[Witness] = []

    def wait() -> None:
        with hold:
            pass

    try:
        with hold:
            for _ in range(count):
                witness = Witness(ended.put)
                start_thread(wait, witness=witness)
                begun.append(witness)
    except RuntimeError:
        return False
    else:
        return True
    finally:
        for _ in begun:
            ended.get()  # they are gone, or about to be


def has_greenlets() -> bool:
    """True if there may be greenlets in this process."""
    return "greenlet" in sys.modules


def _original(module: str, name: str) -> Any:
    """`module.name` as it was before gevent or eventlet patched it."""
    monkey, patcher = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if monkey is not None:
        return monkey.get_original(module, name)
    if patcher is not None:
        return getattr(patcher.original(module), name)
    __import__(module)
    return getattr(sys.modules[module], name)


get_ident: Callable[[], int] = _original("_thread", "get_ident")
"""`thread_ident`, as it is found when this is imported: what each call can afford."""

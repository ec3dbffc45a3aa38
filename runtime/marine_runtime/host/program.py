"""A program that runs beside its caller: started, read, waited for, and ended when the caller leaves.

Three threads do this, and tell the caller by a queue. Signal handlers of Python run in the main thread alone, and an
exception of one can appear between any two steps there; so no step that makes something happens in the caller. It only
waits, and says when it leaves. All of it works beside `gevent.monkey.patch_all()`: see `native`.
"""

from __future__ import annotations

import os
from _queue import Empty, SimpleQueue  # the module `queue` has gevent's where that patched it
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from marine_runtime.host import child_process
from marine_runtime.host.child_process import ChildProcess
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.forks import begin_in_child
from marine_runtime.lazy.turns import Turns
from marine_runtime.texts.messages import no_thread_memory, os_reason
from marine_runtime.wasm.native import Witness, monotonic, start_thread

_CHUNK = 1 << 16
_SLICE = 0.1  # seconds that Windows waits at once: it does not interrupt a wait for Ctrl-C
_LONGEST_SLICE = 3600.0
_REAPED = 1.0  # seconds for the last step, which takes none


@dataclass(frozen=True, slots=True)
class Refused:
    """It could not be started."""

    reason: str


@dataclass(frozen=True, slots=True)
class Captured:
    """The next bytes of output 0 or 1; empty at the end."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An output can't be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The process ended; `code` is None when it is unknown."""

    code: int | None


@dataclass(frozen=True, slots=True)
class Reaped:
    """Nothing is left of it."""


Event = Refused | Captured | Unreadable | Ended | Reaped


@dataclass(frozen=True, slots=True)
class _Over:
    """The thread of output 0 or 1, or that of the process, is over, as planned or not."""

    number: int | None


class Program:
    """One run of a program. Make it, `start` it inside a `try`, and `leave` it in the end."""

    def __init__(self, command: Sequence[str | bytes], env: Mapping[str, str] | None, limit: int | None) -> None:
        """Prepare to run `command`; of its outputs no more than `limit` bytes and a few are kept."""
        self._command, self._env, self._limit = command, env, limit
        self._events: SimpleQueue[Event | _Over] = SimpleQueue()
        self._given: dict[int, int] = {}  # outputs whose thread has not taken its descriptor yet
        self._witnesses: dict[int | None, Witness] = {
            number: Witness(partial(self._events.put, _Over(number))) for number in (None, 0, 1)
        }
        self._left: SimpleQueue[None] = SimpleQueue()
        self._process: ChildProcess | None = None
        self._stopped = False
        self._over = False

    def start(self) -> None:
        """Begin; whether that worked is the first event."""
        try:
            start_thread(self._supervise, witness=self._witnesses[None])
        except RuntimeError as error:
            self._events.put(Refused(_no_thread(error)))

    def next(self, deadline: float | None) -> Event | None:
        """The next event; None when there is none until `deadline`."""
        while True:
            event = self._next(deadline)
            if not isinstance(event, _Over):
                return event
            if event.number is None:
                return (Refused if self._process is None else Unreadable)(no_thread_memory())
            if (end := self._given.pop(event.number, None)) is not None:
                _close(end)
                return Unreadable(no_thread_memory())

    def _next(self, deadline: float | None) -> Event | _Over | None:
        while True:
            left = _LONGEST_SLICE if deadline is None else max(deadline - monotonic(), 0)
            try:
                return self._events.get(timeout=min(left, _LONGEST_SLICE if os.name == "posix" else _SLICE))
            except Empty:
                if deadline is not None and monotonic() >= deadline:
                    return None

    def kill(self) -> str:
        """End it, now or as soon as it begins; what prevents that, or nothing."""
        self._stopped = True
        if self._process is not None:
            try:
                self._process.kill()
            except OSError as error:
                return os_reason(error)
        return ""

    def leave(self, *, ended: bool) -> None:
        """Let go of it: it is killed unless it `ended`."""
        if not ended:
            self.abandon()
            return
        self._over = True
        self._left.put(None)
        deadline = monotonic() + _REAPED
        while not isinstance(self._next(deadline), Reaped | None):
            pass

    def abandon(self) -> None:
        """Kill it without waiting, unless its caller has left it already."""
        if not self._over:
            self.kill()
            self._over = True
            self._left.put(None)

    def _supervise(self) -> None:
        """The thread that starts the program and waits for it."""
        process = self._begin()
        if process is None:
            return
        self._process = process
        if self._stopped:  # the caller left before there was something to kill
            self.kill()
        self._events.put(Ended(process.wait()))
        self._left.get()  # until then the caller may kill it, which must not hit another process of the same number
        self._process = None
        try:
            process.reap()
        finally:
            self._events.put(Reaped())

    def _begin(self) -> ChildProcess | None:
        """Start the readers, then the program."""
        given: list[int] = []
        try:
            for number in (0, 1):
                self._open(number, given)
            return child_process.start(self._command, self._env, *given)
        except RuntimeError as error:
            reason = _no_thread(error)
        except OSError as error:
            reason = os_reason(error)
        except BaseException as error:  # a NUL character in an argument, no memory: the caller must not wait for ever
            reason = str(error) or type(error).__name__
        finally:
            for end in given:
                _close(end)
        self._events.put(Refused(reason))
        return None

    def _open(self, number: int, given: list[int]) -> None:
        """Make the pipe of one output and start its reader."""
        with _forking.lock:
            ours, theirs = child_process.pipe()
            _pipes.update((ours, theirs))
        given.append(theirs)
        self._given[number] = ours
        try:
            start_thread(self._read, number, witness=self._witnesses[number])
        except RuntimeError:
            _close(self._given.pop(number))
            raise

    def _read(self, number: int) -> None:
        """The thread of one output: keep what fits the limit and one byte, throw the rest away."""
        end = self._given.pop(number)
        left = self._limit
        try:
            while chunk := os.read(end, _CHUNK):
                if left is not None:
                    chunk = chunk[: left + 1]
                    left = max(left - len(chunk), 0)
                self._events.put(Captured(number, chunk))
        except BaseException as error:
            self._events.put(Unreadable(str(error) or type(error).__name__))
        finally:
            _close(end)
            self._events.put(Captured(number, b""))


def _no_thread(error: RuntimeError) -> str:
    return f"no thread can be started to watch the program: {error}"


# A child of the host that inherits an end for writing would keep the output open as long as it lives.
_pipes: set[int] = set()
_forking = Turns()


def _close(end: int) -> None:
    with _forking.lock, suppress(OSError):  # a host that closes every descriptor got there first
        _pipes.discard(end)
        os.close(end)


def _close_in_child() -> None:
    while _pipes:  # each of them once, even when the handler of a signal raises
        with suppress(OSError):
            os.close(_pipes.pop())


begin_in_child(_close_in_child)
if hasattr(os, "register_at_fork"):
    # A fork waits for pipes that are being made. The child has a lock of its own then.
    os.register_at_fork(before=lambda: _forking.lock.acquire(), after_in_parent=lambda: _forking.lock.release())

"""Time limits of calls, and interruptions from Python, by Wasmtime's epochs.

Compiled code compares the epoch of its `wasmtime.Engine` with its store's deadline at every loop and function entry. At
the deadline Wasmtime asks the runtime (`interruption`), in the thread of the call. Python then runs the handlers of
signals that are pending, and the runtime looks whether the call's time is up.

The epoch is advanced by a thread, which exists while calls with a time limit run, or calls that are long. A tick is
5 ms of the clock while there are limits, so deadlines of several stores keep their order. A call without a limit arms
nothing, as that would cost more than the call. A service that is about to call is attended for a while instead: the
thread looks at it every 30 ms, and advances the epoch when a call is running. A service that it finds idle repeatedly
is left alone again, and the thread ends when nothing is left.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

from marine_runtime.errors import CallError
from marine_runtime.lazy.forks import begin_in_child, notice
from marine_runtime.lazy.typing import Any, Protocol
from marine_runtime.texts.messages import no_thread
from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.native import has_greenlets, monotonic, new_lock, new_rlock, start_own_thread

FAR = 2**62
"""Ticks that no process lives to see: the deadline of a store that nothing interrupts."""

TICK = 0.005
SLICE = 6
"""Ticks after which a running call lets Python handle signals."""

_ENTRY = 2.0  # seconds in which a thread that was started begins, on any machine
_LINGER = 0.1
_LOOKS = 4  # that have to find a service idle before it is left alone

_clocks: weakref.WeakSet[DeadlineClock] = weakref.WeakSet()


class Attended(Protocol):
    """A service, or another thing that may be running for long."""

    @property
    def running(self) -> bool:
        """True while it is."""
        ...

    def rest(self) -> bool:
        """If it is not running, note that it is unattended, and return True."""
        ...


class TimeLimit(Protocol):
    """The limit of the running call, for everything that has to know it.

    Attributes:
        timeout: seconds that the call may take; None without a limit.
        deadline: the time of their end, by the monotonic clock.
    """

    timeout: float | None
    deadline: float | None


class DeadlineClock:
    """The clock of one `wasmtime.Engine`.

    Attributes:
        asked: whether its stores ask at their deadlines, instead of being interrupted there.
        longest: ticks to the deadline of a store whose call has no limit.
    """

    def __init__(self, advance: Callable[[], None], *, asked: bool = False) -> None:
        """`advance` adds one to its epoch."""
        self.asked = asked
        self.longest = 1 if asked else FAR
        self._advance = advance
        self._deadlines: dict[TimeLimit, float] = {}
        self._attended: dict[Attended, int] = {}
        self._origin = 0.0
        self._ticks = 0  # made since `_origin`
        self._begin()
        _clocks.add(self)

    def _begin(self) -> None:
        """Forget the thread. In a forked process its locks may be held for ever, and it itself is gone."""
        self._lock = new_rlock()
        self._changed = new_lock()
        self._changed.acquire()
        self._running = False
        self._wakes_at = self._started = 0.0
        for item in list(self._attended):
            if item.rest():
                del self._attended[item]

    def arm(self, limit: TimeLimit, store: Any, timeout: float) -> float:
        """Interrupt `store`, a Wasmtime store, in `timeout` seconds, unless `disarm` is called before with `limit`.

        Returns:
            That time, by the monotonic clock.
        """
        notice()
        with self._lock:
            now = monotonic()
            if not self._deadlines:
                self._origin, self._ticks = now, 0
            self._deadlines[limit] = deadline = now + timeout
            store.set_epoch_deadline(self.ticks_until(deadline))
            if not self.running:
                self._start()
            elif deadline + TICK < self._wakes_at:  # waking it costs more than most calls
                self._wake()
        return deadline

    def disarm(self, limit: TimeLimit, store: Any) -> None:
        """Let `store` run as long as it takes again."""
        with self._lock:
            self._deadlines.pop(limit, None)
        store.set_epoch_deadline(self.longest)

    def ticks_until(self, deadline: float) -> int:
        """Ticks to the deadline of a call that has to be over at that time of the monotonic clock."""
        # One tick more than the time takes, as the current tick has partly passed.
        ticks = max(int(min((deadline - self._origin) / TICK, FAR)) + 1 - self._ticks, 1)
        return min(ticks, SLICE) if self.asked else ticks

    def attend(self, item: Attended) -> None:
        """Let `item` be interrupted when it runs for long, until it is told to `rest`.

        Raises:
            RuntimeError: the system has no thread left.
        """
        notice()
        with self._lock:
            self._attended[item] = 0
            if not self.running:
                self._start()

    def interrupt(self) -> None:
        """End the time of every watched call now. Any thread may ask for it."""
        with self._lock:
            now = monotonic()
            if not self._deadlines:
                return
            due = self._ticks + self.ticks_until(max(self._deadlines.values()))
            for limit in self._deadlines:
                if limit.deadline is not None:
                    limit.deadline = self._deadlines[limit] = now
            while self._ticks < due:
                self._advance()
                self._ticks += 1
            # The clock has to be where the epoch is now, or the deadlines of calls to come would be too far off.
            self._origin = monotonic() - self._ticks * TICK

    @property
    def running(self) -> bool:
        """True if the thread exists. One that should have begun and did not had no memory to do so."""
        return self._running and (self._wakes_at > 0 or monotonic() < self._started + _ENTRY)

    def _start(self) -> None:
        self._running, self._wakes_at, self._started = True, 0.0, monotonic()
        try:
            start_own_thread(self._run)
        except BaseException:
            self._running = False
            raise

    def _wake(self) -> None:
        if self._changed.locked():
            self._changed.release()

    def _run(self) -> None:
        try:
            self._watch()
        except BaseException:  # no memory, for one: the next call gets another thread
            self._running = False
            raise

    def _watch(self) -> None:
        idle = False
        lock, changed = self._lock, self._changed
        while True:
            with lock:
                if self._deadlines or self._attended:
                    pause, idle = self._look(), False
                elif idle:
                    self._running = False
                    return
                else:
                    pause, idle = _LINGER, True
                self._wakes_at = monotonic() + pause
            changed.acquire(timeout=pause)

    def _look(self) -> float:
        """Advance the epoch to the clock; returns the seconds until that has to be done again."""
        busy = False
        for item in list(self._attended):
            if item.running:
                busy, self._attended[item] = True, 0
            else:
                self._attended[item] += 1
                # With greenlets, each call has to be looked at when it begins.
                if (self._attended[item] >= _LOOKS or has_greenlets()) and item.rest():
                    del self._attended[item]
        if self._deadlines:
            self._catch_up()
            # A deadline that has passed stays until its call is over; the ticks go on, which hurts nobody.
            left = min(self._deadlines.values()) + TICK - monotonic()
            return min(max(left, TICK), SLICE * TICK)
        if busy:
            self._advance()
        return SLICE * TICK

    def _catch_up(self) -> None:
        """Bring the epoch to where the clock is."""
        due = int((monotonic() - self._origin) / TICK)
        while self._ticks < due:
            self._advance()
            self._ticks += 1


class Watch:
    """The time limit of one call of a store, as a context.

    It is not a generator, as entering and leaving one costs more than the call of a guest.
    """

    __slots__ = ("_clock", "_limit", "_store", "_timeout")

    def __init__(self, clock: DeadlineClock, store: Any, limit: TimeLimit, timeout: float) -> None:
        self._clock, self._store, self._limit, self._timeout = clock, store, limit, timeout

    def __enter__(self) -> None:
        """Begin.

        Raises:
            CallError: the system has no thread left to watch the time.
        """
        limit = self._limit
        try:
            limit.timeout, limit.deadline = self._timeout, self._clock.arm(limit, self._store, self._timeout)
        except RuntimeError as error:
            self.__exit__()
            raise CallError(f"a call with a time limit can't start: {no_thread(error)}") from error
        except BaseException:  # Ctrl-C, for one
            self.__exit__()
            raise

    @covered
    def __exit__(self, *_: object) -> None:
        """End, whatever happened."""
        try:
            self._clock.disarm(self._limit, self._store)
        finally:
            self._limit.timeout = self._limit.deadline = None


def _begin_in_child() -> None:
    for clock in list(_clocks):
        clock._begin()


begin_in_child(_begin_in_child)

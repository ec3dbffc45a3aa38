"""Time limits of calls, by Wasmtime's epochs.

Compiled code compares the epoch of its `wasmtime.Engine` with its store's deadline at every loop and function entry.
Without a time limit the deadline is out of reach and nobody counts. A call with a limit arms its store's deadline, and
while such calls run a thread advances the epoch with the clock, a tick per 5 ms, so deadlines of several stores keep
their order. The thread sleeps until the earliest deadline, and ends when it has had nothing to do for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, RLock, Thread
from time import monotonic
from typing import Any, Protocol

FAR = 2**62
"""Ticks that no process lives to see: the deadline of a store without a time limit."""

TICK = 0.005
_LINGER = 0.1
_LONGEST_SLEEP = 1.0  # keeps the number of ticks that are due at once small


class DeadlineClock:
    """The clock of one `wasmtime.Engine`."""

    def __init__(self, advance: Callable[[], None]) -> None:
        """`advance` adds one to its epoch."""
        self._advance = advance
        self._lock = RLock()  # entered directly, as a condition's own methods are Python
        self._changed = Condition(self._lock)
        self._deadlines: dict[object, float] = {}
        self._origin = 0.0
        self._ticks = 0  # made since `_origin`
        self._thread: Thread | None = None
        self._wakes_at = 0.0

    def arm(self, key: object, store: Any, timeout: float) -> float:
        """Interrupt the Wasm of `store` in `timeout` seconds, unless `disarm` is called before with `key`.

        Returns:
            That time, by the monotonic clock.
        """
        with self._lock:
            now = monotonic()
            if not self._deadlines:
                self._origin, self._ticks = now, 0
            deadline = now + timeout
            # One tick more than the time takes, as the current tick has partly passed.
            due = int(min((deadline - self._origin) / TICK, FAR)) + 1
            store.set_epoch_deadline(max(due - self._ticks, 1))
            self._deadlines[key] = deadline
            if self._thread is None or not self._thread.is_alive():  # threads do not survive a fork
                self._thread = Thread(target=self._run, name="marine-watchdog", daemon=True)
                self._thread.start()
            elif deadline + TICK < self._wakes_at:  # waking it costs more than most calls
                self._changed.notify()
        return deadline

    def disarm(self, key: object, store: Any) -> None:
        """Let `store` run as long as it takes again."""
        with self._lock:
            self._deadlines.pop(key, None)
        store.set_epoch_deadline(FAR)

    def interrupt(self) -> None:
        """Let the time of every call that is being watched be up now. Any thread may ask for it."""
        with self._lock:
            if not self._deadlines:
                return
            due = int(min((max(self._deadlines.values()) - self._origin) / TICK, FAR)) + 1
            while self._ticks < due:
                self._advance()
                self._ticks += 1
            # The clock has to be where the epoch is now, or the deadlines of calls to come would be too far off.
            self._origin = monotonic() - self._ticks * TICK

    @property
    def running(self) -> bool:
        """True if the thread exists."""
        return self._thread is not None

    def _run(self) -> None:
        idle = False
        with self._changed:
            while True:
                now = monotonic()
                if self._deadlines:
                    self._catch_up()
                    # A deadline that has passed stays until its call is over; the ticks go on, which hurts nobody.
                    pause = min(max(min(self._deadlines.values()) + TICK - now, TICK), _LONGEST_SLEEP)
                    idle = False
                elif idle:
                    break
                else:
                    pause, idle = _LINGER, True
                self._wakes_at = now + pause
                self._changed.wait(pause)
            self._thread = None

    def _catch_up(self) -> None:
        """Bring the epoch to where the clock is."""
        due = int((monotonic() - self._origin) / TICK)
        while self._ticks < due:
            self._advance()
            self._ticks += 1


class TimeLimit(Protocol):
    """The limit of the running call, for everything that has to know it.

    Attributes:
        timeout: seconds that the call may take; None without a limit.
        deadline: when they are over, by the monotonic clock.
    """

    timeout: float | None
    deadline: float | None


class Watch:
    """The time limit of one call of a store, as a context.

    It is no generator, as entering and leaving one costs more than the call of a guest.
    """

    __slots__ = ("_clock", "_limit", "_store", "_timeout")

    def __init__(self, clock: DeadlineClock, store: Any, limit: TimeLimit, timeout: float) -> None:
        self._clock, self._store, self._limit, self._timeout = clock, store, limit, timeout

    def __enter__(self) -> None:
        """Begin."""
        limit = self._limit
        try:
            limit.timeout, limit.deadline = self._timeout, self._clock.arm(self, self._store, self._timeout)
        except BaseException:  # Ctrl-C, for one
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        """End, whatever happened."""
        try:
            self._clock.disarm(self, self._store)
        finally:
            self._limit.timeout = self._limit.deadline = None

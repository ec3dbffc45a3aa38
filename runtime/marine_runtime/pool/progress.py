"""The calls of a message that have begun, in memory that a worker process shares with the pool.

The process notes each call before it begins it. So the pool may take calls back until then, and knows after the death
of the process which ones no longer may run elsewhere.
"""

from __future__ import annotations

from multiprocessing.context import SpawnContext

from marine_runtime.pool.message import MOST
from marine_runtime.wasm.native import monotonic

_WAITS, _BEGUN, _WITHDRAWN = range(3)
_PATIENCE = 1.0  # seconds for the lock, which a process may hold that is stopped or was killed


class Progress:
    """Shared by the pool and one worker process; the process inherits it when it is started."""

    def __init__(self, context: SpawnContext) -> None:
        self._lock = context.Lock()
        self._states = context.RawArray("B", MOST)
        self._time = context.RawValue("d", 0.0)
        self._ended = False

    def reset(self) -> None:
        """Prepare for another message. The process must not run one."""
        self._states[:] = bytes(MOST)
        self._time.value = 0.0

    def begin(self, position: int) -> bool:
        """Note that the call at `position` begins; False when it was withdrawn. The process calls it."""
        with self._lock:
            if self._states[position] == _WITHDRAWN:
                return False
            self._states[position] = _BEGUN
            self._time.value = monotonic()  # the same clock in all processes
            return True

    def withdraw(self, position: int) -> bool:
        """Take a call back; False when it has begun or was taken back already."""
        if self._ended:
            locked = False
        elif not (locked := self._lock.acquire(timeout=_PATIENCE)):
            return False
        try:
            waits: bool = self._states[position] == _WAITS
            if waits:
                self._states[position] = _WITHDRAWN
            return waits
        finally:
            if locked:
                self._lock.release()

    def begun(self, position: int) -> bool:
        """True if a call has begun."""
        begun: bool = self._states[position] == _BEGUN
        return begun

    def time(self) -> float | None:
        """The time at which the latest call began, by the monotonic clock; None when none has."""
        return self._time.value or None

    def end(self) -> None:
        """Note that the process is gone; it may have held the lock."""
        self._ended = True

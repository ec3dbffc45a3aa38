"""The bounded queue between callers and workers.

It knows nothing of workers. It wakes threads that wait for room or for work, and event loops by a callback.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Lock

from marine_runtime.pool.errors import PoolClosedError, PoolError, PoolFullError
from marine_runtime.pool.job import Job
from marine_runtime.wasm.native import monotonic


class Jobs:
    """A bounded queue, first in, first out. Its workers are in the process that made it."""

    def __init__(self, capacity: int) -> None:
        self._process = os.getpid()
        self._capacity = capacity
        self._items: deque[Job] = deque()
        self._callbacks: deque[Callable[[], None]] = deque()
        self._lock = Lock()
        self._work, self._room = Condition(self._lock), Condition(self._lock)
        self._closed: Exception | None = None
        self._drained = False

    def __len__(self) -> int:
        return len(self._items)

    def all(self) -> list[Job]:
        """The jobs that wait, in their order."""
        return list(self._items)

    def put(self, job: Job, wait: float | None) -> None:
        """Add a job; wait for room at most `wait` seconds, or as long as it takes.

        Raises:
            PoolClosedError, PoolError: no job is taken any more. PoolFullError: no room in time.
            PoolError: the process is a fork of the one with the pool.
        """
        if self.forked:  # the lock may be held for ever
            raise PoolError(
                f"the pool belongs to process {self._process}, and this is a fork of it, process {os.getpid()}, where "
                "its workers are not: make a pool in this process, after the fork"
            )
        limit = None if wait is None else monotonic() + wait
        with self._lock:
            while self._closed is None and len(self._items) >= self._capacity:
                left = None if limit is None else limit - monotonic()
                if left is not None and left <= 0:
                    raise PoolFullError(f"the queue is full: {len(self._items)} calls are waiting")
                self._room.wait(left)
            if self._closed is not None:
                raise type(self._closed)(*self._closed.args)
            self._items.append(job)
            self._work.notify()

    @property
    def forked(self) -> bool:
        """True if this process is a fork of the one that made the queue."""
        return os.getpid() != self._process

    def take(self) -> Job | None:
        """The next job; waits for one. None when there will be none."""
        with self._lock:
            while not self._items:
                if self._closed is not None:
                    return None
                self._work.wait()
            job = self._items.popleft()
            self._room.notify()
            callback = self._callbacks.popleft() if self._callbacks else None
        if callback:
            callback()
        return job

    def take_more(self, like: Job, size: int, workers: int) -> list[Job]:
        """Jobs from the front that travel with `like`: up to `size` with it, and no more than the share of a worker."""
        with self._lock:
            items = self._items
            count = min(size - 1, len(items) // max(1, workers))
            found: list[Job] = []
            while len(found) < count and items[0].joins(like):
                found.append(items.popleft())
            if found:
                self._room.notify(len(found))
            callbacks = [self._callbacks.popleft() for _ in found[: len(self._callbacks)]]
        for callback in callbacks:
            callback()
        return found

    def put_back(self, jobs: Sequence[Job]) -> bool:
        """Put jobs that were taken and have not begun in front of all others; False when nothing is run any more."""
        with self._lock:
            if not self._drained:
                self._items.extendleft(reversed(jobs))
                self._work.notify(len(jobs))
            return not self._drained

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when there may be room, or no more use in waiting: perhaps at once, from any thread."""
        with self._lock:
            wait = self._closed is None and len(self._items) >= self._capacity
            if wait:
                self._callbacks.append(callback)
        if not wait:
            callback()

    def pass_on(self) -> None:
        """Wake the next waiter, since the one that was woken has gone."""
        with self._lock:
            callback = self._callbacks.popleft() if self._callbacks else None
        if callback:
            callback()

    def close(self, reason: Exception | None = None) -> None:
        """Take no more jobs; those that wait are still handed out."""
        with self._lock:
            self._closed = self._closed or reason or PoolClosedError("the pool is closed")
            callbacks, self._callbacks = self._callbacks, deque()
            self._work.notify_all()
            self._room.notify_all()
        for callback in callbacks:
            callback()

    def drain(self) -> list[Job]:
        """Take out everything that waits, for good."""
        with self._lock:
            self._drained = True
            items, self._items = list(self._items), deque()
            self._work.notify_all()
        return items

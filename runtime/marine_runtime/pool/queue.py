"""The bounded queue between callers and workers, and the jobs in it: a request and the future of its result.

The queue knows nothing of workers. It wakes threads that wait for room or for work, and event loops by a callback.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Lock
from time import monotonic
from typing import Any

from marine_runtime.calls.options import CallOptions
from marine_runtime.pool.errors import PoolClosedError, PoolFullError
from marine_runtime.values.records import ToPublic


@dataclass(frozen=True, slots=True)
class Request:
    """Calls for an instance; it can be pickled.

    Attributes:
        rows: internal arguments, one sequence per call. Calls with limits come one by one.
        options: those of each call, without any that are None.
    """

    module: str
    function: str
    rows: list[Any]
    options: CallOptions


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a request.

    Attributes:
        results: internal results, one per row; None where the call failed.
        errors: exceptions of the failed calls, by row.
        poisoned: whether the instance must not run another call.
    """

    results: list[Any]
    errors: dict[int, BaseException]
    poisoned: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """A request with the future that waits for it. Whoever settles it first wins."""

    request: Request
    publish: ToPublic | None
    many: bool = False
    future: Future[Any] = field(default_factory=Future)
    _lock: Lock = field(default_factory=Lock)
    _settled: bool = False
    _live: bool | None = None  # whether the future runs; False when its caller has cancelled it

    def __str__(self) -> str:
        return f"`{self.request.module}.{self.request.function}`"

    def begin(self) -> bool:
        """Start it; False when its caller has cancelled it, or it has failed already."""
        with self._lock:
            if self._settled:
                return False
            self._live = self.future.set_running_or_notify_cancel()
            return self._live

    def _claim(self) -> bool:
        """True if it is the caller's to settle it."""
        with self._lock:
            first, self._settled = not self._settled, True
            if first and self._live is None:
                self._live = self.future.set_running_or_notify_cancel()
        return first

    def finish(self, reply: Reply) -> bool:
        """Hand results over; False when the job was settled already."""
        if not self._claim():
            return False
        try:
            publish = self.publish
            results = [publish(item) if publish and item is not None else item for item in reply.results]
        except Exception as error:  # a result that is nested too deeply
            self.future.set_exception(error)
            return True
        for position, problem in reply.errors.items():
            results[position] = problem
        if self.many:
            self.future.set_result(results)
        elif reply.errors:
            self.future.set_exception(_bearable(reply.errors[0]))
        else:
            self.future.set_result(results[0])
        return True

    def fail(self, error: BaseException) -> bool:
        """Fail all its calls; False when the job was settled already."""
        if not self._claim():
            return False
        if self._live:
            self.future.set_exception(error)
        return True


def _bearable(error: BaseException) -> BaseException:
    """A future of asyncio refuses StopIteration, and its caller would wait for ever."""
    if not isinstance(error, StopIteration):
        return error
    other = RuntimeError("a host function raised StopIteration")
    other.__cause__ = error
    return other


class Jobs:
    """A bounded queue, first in, first out."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Job] = deque()
        self._callbacks: deque[Callable[[], None]] = deque()
        self._lock = Lock()
        self._work, self._room = Condition(self._lock), Condition(self._lock)
        self._closed: Exception | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, job: Job, wait: float | None) -> None:
        """Add a job; wait for room at most `wait` seconds, or as long as it takes.

        Raises:
            PoolClosedError, PoolError: no job is taken any more. PoolFullError: no room in time.
        """
        limit = None if wait is None else monotonic() + wait
        with self._lock:
            while self._closed is None and len(self._items) >= self._capacity:
                left = None if limit is None else limit - monotonic()
                if left is not None and left <= 0:
                    raise PoolFullError(f"{len(self._items)} calls wait already, more than that are not kept")
                self._room.wait(left)
            if self._closed is not None:
                raise type(self._closed)(*self._closed.args)
            self._items.append(job)
            self._work.notify()

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
        """Take out everything that waits."""
        with self._lock:
            items, self._items = list(self._items), deque()
            self._work.notify_all()
        return items

"""Jobs: calls for a worker, with the future that waits for their outcome."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Lock

from marine_runtime.calls.options import CallOptions
from marine_runtime.calls.uncopied import Uncopied
from marine_runtime.lazy.typing import Any, Protocol
from marine_runtime.pool.errors import PoolError
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
        seconds: the time that the calls took; 0 for calls without a limit of time.
    """

    results: list[Any]
    errors: dict[int, BaseException]
    poisoned: bool = False
    seconds: float = 0.0


class SentCall(Protocol):
    """A call that was sent to a worker in a message with others."""

    def withdraw(self) -> bool:
        """Take the call back; False when it has begun, or was taken back already. From any thread."""

    def begun(self) -> bool | None:
        """True if the call has begun; None when that is not known."""


class CallFuture(Uncopied, Future[Any]):
    """The future of a call. It can be cancelled until its call begins, also when the call was sent to a worker."""

    _advice = "pass on its result"

    def __init__(self) -> None:
        super().__init__()
        self._guard = Lock()
        self._place: SentCall | None = None
        self._dropped = False

    def cancel(self) -> bool:
        """See `concurrent.futures.Future`."""
        with self._guard:
            if self._place is not None and not self._dropped and not self._place.withdraw():
                return False
            first, self._dropped = not self._dropped, True
        cancelled = super().cancel()
        if cancelled and first:
            self.set_running_or_notify_cancel()
        return cancelled

    def running(self) -> bool:
        """See `concurrent.futures.Future`."""
        with self._guard:
            place = self._place
            if place is not None and not self._dropped:
                return place.begun() is not False
        return super().running()

    def begin(self) -> bool:
        """Note that the call begins, or has ended; False when it was cancelled."""
        with self._guard:
            self._place = None
            return not self._dropped and self.set_running_or_notify_cancel()

    def sent(self, place: SentCall) -> bool:
        """Note that the call is about to be sent; False when it was cancelled."""
        with self._guard:
            if not self._dropped:
                self._place = place
            return not self._dropped

    def take_back(self) -> bool:
        """Take back a call that was sent; False when it has begun, was cancelled or has ended."""
        with self._guard:
            place = self._place
            if place is None or self._dropped or not place.withdraw():
                return False
            self._place = None
            return True

    def leave(self) -> None:
        """Fail in a forked process: the call goes on in its parent, and its outcome arrives there.

        Another thread of the parent may have held the locks. Callbacks and other waiters are the parent's.
        """
        self._guard, self._condition = Lock(), Condition()
        self._place = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []
        if not self.done():
            self._dropped = True
            self.set_exception(
                PoolError(
                    "the call was made before this process was forked, and its result arrives in the parent process "
                    f"{os.getppid()} alone: make calls of a pool of this process"
                )
            )


@dataclass(slots=True, eq=False)
class Job:
    """A request with the future that waits for it. The first to settle it wins.

    Attributes:
        many: whether the future gets a list of results and exceptions, one per row.
        losses: the number of workers that died after the job was sent and before it began.
    """

    request: Request
    publish: ToPublic | None
    many: bool = False
    future: CallFuture = field(default_factory=CallFuture)
    losses: int = 0
    _lock: Lock = field(default_factory=Lock)
    _settled: bool = False
    _live: bool | None = None  # whether the future runs; False when its caller has cancelled it

    def __str__(self) -> str:
        return f"`{self.request.module}.{self.request.function}`"

    def joins(self, other: Job) -> bool:
        """True if both may travel in one message: single calls of one function with the same options."""
        mine, its = self.request, other.request
        return (
            not self.many
            and not other.many
            and mine.function == its.function
            and mine.module == its.module
            and mine.options == its.options
        )

    def send(self, place: SentCall) -> bool:
        """Note that it is about to be sent; False when its caller has cancelled it, or it has failed already."""
        with self._lock:
            return not self._settled and self.future.sent(place)

    def begin(self) -> bool:
        """Start it; False when its caller has cancelled it, or it has failed already."""
        with self._lock:
            if self._settled:
                return False
            self._live = self.future.begin()
            return self._live

    def _claim(self) -> bool:
        """True if it is the caller's to settle it."""
        with self._lock:
            first, self._settled = not self._settled, True
            if first and self._live is None:
                self._live = self.future.begin()
        return first

    def finish(self, reply: Reply) -> bool:
        """Hand results over; False when the job was settled already."""
        if not self._claim():
            return False
        if not self._live:
            return True
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


Reason = Callable[[Job], BaseException]
"""The error of a job that can't go on."""


def _bearable(error: BaseException) -> BaseException:
    """A future of asyncio refuses StopIteration, and its caller would wait for ever."""
    if not isinstance(error, StopIteration):
        return error
    other = RuntimeError("a host function raised StopIteration")
    other.__cause__ = error
    return other

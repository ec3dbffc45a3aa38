"""Calls of the event loop that run on threads; each is stopped when its client goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from marine_gen.serve.functions import Function
from marine_gen.wire.problems import ProblemError
from marine_runtime import CallOptions, CallParameters
from marine_runtime.pool import BasePool

PATIENCE = 0.05
"""Seconds after which a call is watched: whether it has begun, and whether its client has gone."""

_AGAIN = 0.02

Gone = Callable[[], Awaitable[None]]
"""Waits until the client has gone."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a call.

    Attributes:
        timeout: seconds that the call may run, and may wait before.
        call_parameters: see `Service.call`.
    """

    timeout: float
    call_parameters: CallParameters | None = None


class ClientGoneError(Exception):
    """The client has closed its connection, so no answer can be sent."""


def _nobody(call: StartedCall) -> None:
    """Hear that a call is over whose end was told already."""


class StartedCall:
    """A call that runs on a thread or waits for one.

    Attributes:
        future: its result.
        begun: the time of its creation, by the clock of the event loop.
        over: whether its result has arrived, or it was given up.
        reason: the reason for which it was given up.
    """

    __slots__ = ("_gone", "_notify", "_runner", "_task", "_timeout", "begun", "future", "over", "reason")

    def __init__(
        self,
        runner: CallRunner,
        future: Future[Any],
        timeout: float,
        begun: float,
        notify: Callable[[StartedCall], None],
        gone: Gone | None,
    ) -> None:
        self._runner, self.future, self._timeout, self.begun = runner, future, timeout, begun
        self._notify, self._gone = notify, gone
        self._task: asyncio.Task[None] | None = None
        self.over = False
        self.reason: BaseException | None = None

    def result(self) -> Any:
        """The result of a call that is over; raises the reason for its absence."""
        if self.reason is not None:
            raise self.reason
        return self.future.result()

    def end(self) -> None:
        """Tell that the call is over, unless that was done."""
        if not self.over:
            self.over = True
            self._runner.forget(self)
            if self._task is not None:
                self._task.cancel()
            notify, self._notify = self._notify, _nobody  # it refers to what waits for this call
            notify(self)

    def give_up(self, reason: BaseException) -> None:
        """Drop or interrupt the call, and do not wait for it any more."""
        if not self.over:
            self.reason = reason
            self._runner.stop(self.future)
            self.end()

    def attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the call up when its client has gone, or when it does not begin in time."""
        if self._task is None:
            self._task = loop.create_task(self._look(loop))

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        leaving = asyncio.ensure_future(self._gone()) if self._gone else loop.create_future()
        try:
            # A call that runs has a limit of its own.
            done, _ = await asyncio.wait([leaving], timeout=self._timeout)
            if not done and not self.future.running():
                self.give_up(ProblemError("busy", f"the call did not begin within {self._timeout:g} s"))
                return
            await leaving
            self.give_up(ClientGoneError())
        finally:
            leaving.cancel()


class CallRunner:
    """A pool, called from the event loop.

    Attributes:
        pool: the pool.
    """

    def __init__(self, pool: BasePool) -> None:
        self.pool = pool
        self._ending: set[asyncio.Task[None]] = set()
        self._calls: dict[StartedCall, None] = {}  # the oldest one first
        self._results: deque[StartedCall] = deque()
        self._waking = False
        self._timer: asyncio.TimerHandle | None = None

    async def call(self, function: Function, args: list[Any], options: Options, gone: Gone | None = None) -> Any:
        """Run a call on a copy of the pool.

        Raises:
            ClientGoneError: `gone` said so; the call is stopped.
            PoolFullError: too many calls wait. ProblemError: it waited too long. Others: as `ServicePool.call`.
        """
        over = asyncio.get_running_loop().create_future()

        def notify(_: StartedCall) -> None:
            if not over.done():
                over.set_result(None)

        call = self.start(function, args, options, notify, gone)
        try:
            await over
        except asyncio.CancelledError:
            call.give_up(ClientGoneError())
            raise
        return call.result()

    def start(
        self,
        function: Function,
        args: list[Any],
        options: Options,
        notify: Callable[[StartedCall], None],
        gone: Gone | None = None,
    ) -> StartedCall:
        """The same without waiting: `notify` is called once, on the event loop, when the call is over.

        Raises:
            PoolFullError: too many calls wait. Others: as `ServicePool.submit`.
        """
        parameters = options.call_parameters
        given: CallOptions = {"timeout": options.timeout}
        if parameters is not None:
            given["call_parameters"] = parameters
        future = self.pool.submit(function.module, function.name, args, wait=0, **given)
        loop = asyncio.get_running_loop()
        call = StartedCall(self, future, options.timeout, loop.time(), notify, gone)
        self._calls[call] = None
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE, self._attend, loop)

        def arrived(_: Future[Any]) -> None:
            self._results.append(call)
            if not self._waking:  # otherwise the loop has been woken, and takes this one along
                self._waking = True
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(self._wake)

        future.add_done_callback(arrived)
        return call

    def forget(self, call: StartedCall) -> None:
        """Watch a call no longer: it is over."""
        self._calls.pop(call, None)

    def _wake(self) -> None:
        """End the calls whose results have arrived."""
        self._waking = False  # first: what arrives from now on may be seen below, or wakes the loop once more
        results = self._results
        while results:
            results.popleft().end()

    def _attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the calls that take long. Short ones need no timer of their own."""
        limit = loop.time() - PATIENCE
        for call in self._calls:
            if call.begun > limit:
                break
            call.attend(loop)
        self._timer = loop.call_later(PATIENCE, self._attend, loop) if self._calls else None

    def stop(self, future: Future[Any]) -> None:
        """Drop or interrupt a call, without waiting for it."""
        if future.cancel() or future.done():
            return
        task = asyncio.get_running_loop().create_task(self._interrupt(future))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _interrupt(self, future: Future[Any]) -> None:
        while not future.done() and not self.pool.closed:
            self.pool.interrupt(future)
            await asyncio.sleep(_AGAIN)

    async def close(self, timeout: float) -> None:
        """Wait for calls for `timeout` seconds at most, and free all copies."""
        await asyncio.to_thread(self.pool.close, timeout)

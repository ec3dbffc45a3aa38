"""Calls of the event loop, on threads or inline; each is stopped when its client goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from marine_gen.serve.copies import InlineCopy, InstanceSource, Usage
from marine_gen.serve.functions import Function, functions_of
from marine_gen.serve.inline import InlineChoice
from marine_gen.serve.settings import Settings
from marine_gen.wire.problems import ProblemError
from marine_runtime import CallOptions, CallParameters, ConfigError, Interface
from marine_runtime.pool import BasePool

if TYPE_CHECKING:
    from marine_gen.serve.cluster import ClusterSource

PATIENCE = 0.05
"""Seconds after which a task begins to watch for the client of a call going away."""

_AGAIN = 0.02
INLINE_TIME = 1.0
"""Seconds that an inline call may block the event loop."""

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
    """The client has closed its connection, so there is no one to answer."""


class _Call:
    """A call that runs on a thread, and the task that looks after it once it takes long.

    Attributes:
        future: its result.
        arrived: is done when the result is there, or cancelled when the call is given up.
        begun: when it was made, by the clock of the event loop.
        reason: why it was given up.
    """

    __slots__ = ("_gone", "_task", "_timeout", "arrived", "begun", "future", "reason")

    def __init__(self, loop: asyncio.AbstractEventLoop, future: Future[Any], timeout: float, gone: Gone | None) -> None:
        self.future, self._timeout, self._gone = future, timeout, gone
        self.arrived: asyncio.Future[None] = loop.create_future()
        self.begun = loop.time()
        self.reason: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

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
                self.reason = ProblemError("busy", f"the call did not begin within {self._timeout:g} s")
            elif not done:
                await leaving
            if leaving.done():
                self.reason = ClientGoneError()
            self.arrived.cancel()
        finally:
            leaving.cancel()

    def end(self) -> None:
        """The call is over."""
        if self._task is not None:
            self._task.cancel()


class CallRunner:
    """A pool, called from the event loop.

    Attributes:
        pool: the pool.
    """

    def __init__(self, pool: BasePool) -> None:
        self.pool = pool
        self._ending: set[asyncio.Task[None]] = set()
        self._calls: dict[_Call, None] = {}  # the oldest one first
        self._results: deque[_Call] = deque()
        self._waking = False
        self._timer: asyncio.TimerHandle | None = None

    async def call(self, function: Function, args: list[Any], options: Options, gone: Gone | None = None) -> Any:
        """Run a call on a copy of the pool.

        Raises:
            ClientGoneError: `gone` said so; the call is stopped.
            PoolFullError: too many calls wait. ProblemError: it waited too long. Others: as `ServicePool.call`.
        """
        future = self.pool.submit(
            function.module,
            function.name,
            args,
            timeout=options.timeout,
            call_parameters=options.call_parameters,
            wait=0,
        )
        loop = asyncio.get_running_loop()
        call = _Call(loop, future, options.timeout, gone)
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
        try:
            await call.arrived
        except asyncio.CancelledError:
            self._stop(future)
            if call.reason is not None:
                raise call.reason from None
            raise
        finally:
            del self._calls[call]
            call.end()
        return future.result()

    def _wake(self) -> None:
        """Wake the calls whose results have arrived."""
        self._waking = False  # first: what arrives from now on may be seen below, or wakes the loop once more
        results = self._results
        while results:
            arrived = results.popleft().arrived
            if not arrived.done():
                arrived.set_result(None)

    def _attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the calls that take long. Short ones need no timer of their own."""
        limit = loop.time() - PATIENCE
        for call in self._calls:
            if call.begun > limit:
                break
            call.attend(loop)
        self._timer = loop.call_later(PATIENCE, self._attend, loop) if self._calls else None

    def _stop(self, future: Future[Any]) -> None:
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


class Backend:
    """The service of a server process.

    Attributes:
        functions: its functions, by module and name.
        interface: its interface.
        usage: what its copies use.
        version: a number that grows with every reload.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.usage = Usage()
        self.functions: Mapping[tuple[str, str], Function] = {}
        self.interface = Interface({})
        self.version = 0
        self._choice = InlineChoice(settings.inline)
        self._runner: CallRunner | None = None
        self._source: InstanceSource | ClusterSource | None = None
        self._inline: InlineCopy | None = None
        self._old: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Load the service, and let it take the place of the one that runs, whose calls end as they began.

        Raises:
            As `marine_gen.load`; the service that runs goes on then.
        """
        limits = self._settings.limits
        source = await asyncio.to_thread(self._open_source)
        pool = await asyncio.to_thread(source.pool, limits.threads, limits.queue, name=f"serve-{self.version}")
        functions = await asyncio.to_thread(functions_of, pool.interface)
        try:
            self._choice.check(item.key for item in functions.values())
        except ConfigError:
            await asyncio.to_thread(pool.close)
            raise
        old, self._runner = self._runner, CallRunner(pool)
        if self._inline is not None:
            self._inline.close()
        self._source, self._inline = source, InlineCopy(source)
        self.interface, self.functions = pool.interface, functions
        self.version += 1
        if old is not None:
            task = asyncio.get_running_loop().create_task(old.close(limits.longest))
            self._old.add(task)
            task.add_done_callback(self._old.discard)

    def _open_source(self) -> InstanceSource | ClusterSource:
        if self._settings.ray is None:
            return InstanceSource(self._settings, self.usage)
        from marine_gen.serve.cluster import ClusterSource

        return ClusterSource(self._settings)

    @property
    def name(self) -> str:
        """The name of the service."""
        return self._source.name if self._source else ""

    @property
    def ready(self) -> bool:
        """True while calls can be made."""
        return self._runner is not None and not self._runner.pool.closed and not self._exhausted

    @property
    def _exhausted(self) -> bool:
        return self._runner is not None and self._runner.pool.statistics.lost >= self._settings.limits.threads

    @property
    def waiting(self) -> int:
        """The number of calls that wait for a thread."""
        return self._runner.pool.waiting if self._runner else 0

    @property
    def replaced(self) -> int:
        """The number of copies that were replaced since the last reload."""
        return self._runner.pool.statistics.replaced if self._runner else 0

    def sticky(self, name: str) -> CallRunner:
        """A copy with a state of its own; blocks while it is loaded."""
        assert self._source is not None
        return CallRunner(self._source.pool(1, self._settings.limits.queue, name=name, sticky=True))

    async def call(self, function: Function, args: list[Any], options: Options, gone: Gone | None = None) -> Any:
        """Run a call.

        Raises:
            As `CallRunner.call`.
        """
        if self._runner is None:
            raise ProblemError("closing", "the service is not loaded")
        if self.runs_inline(function):
            return self.call_inline(function, args, options)
        if not self._choice.measures:
            return await self._runner.call(function, args, options, gone)
        started = perf_counter()
        result = await self._runner.call(function, args, options, gone)
        self._choice.measured(function.key, perf_counter() - started)
        return result

    def runs_inline(self, function: Function) -> bool:
        """True if the next call of a function runs on the event loop."""
        return self._inline is not None and self._choice.inline(function.key)

    def call_inline(self, function: Function, args: list[Any], options: Options) -> Any:
        """Run a call on the event loop.

        Raises:
            As `Service.call`. ProblemError: the service is not loaded.
        """
        if self._inline is None:
            raise ProblemError("closing", "the service is not loaded")
        given: CallOptions = {"timeout": min(options.timeout, INLINE_TIME)}
        if options.call_parameters is not None:
            given["call_parameters"] = options.call_parameters
        if not self._choice.measures:
            return self._inline.call(function.module, function.name, args, given)
        started = perf_counter()
        try:
            return self._inline.call(function.module, function.name, args, given)
        finally:
            self._choice.measured(function.key, perf_counter() - started)

    async def close(self) -> None:
        """Free everything; calls that run get the time of `ServeLimits.drain`."""
        runner, self._runner = self._runner, None
        if self._inline is not None:
            self._inline.close()
            self._inline = None
        for task in self._old:
            task.cancel()
        if runner is not None:
            with contextlib.suppress(Exception):
                await runner.close(self._settings.limits.drain)

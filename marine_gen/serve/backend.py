"""The service of a server process: calls on threads or on the event loop, reloading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from marine_gen.serve.copies import InlineCopy, InstanceSource, Usage
from marine_gen.serve.functions import Function, Functions, find_function, functions_of
from marine_gen.serve.inline import InlineChoice
from marine_gen.serve.runner import CallRunner, Gone, Options, StartedCall
from marine_gen.serve.settings import Settings
from marine_gen.wire.problems import ProblemError
from marine_runtime import CallOptions, Interface

if TYPE_CHECKING:
    from marine_gen.serve.cluster import ClusterSource

INLINE_TIME = 1.0
"""Seconds that an inline call may block the event loop."""


class Backend:
    """The service of a server process.

    Attributes:
        functions: its functions, by module and name.
        interface: its interface.
        usage: the resources that its copies use.
        version: a number that grows with every reload.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.usage = Usage()
        self.functions: Functions = {}
        self.interface = Interface({})
        self.version = 0
        self._choice = InlineChoice(settings.inline)
        self._runner: CallRunner | None = None
        self._source: InstanceSource | ClusterSource | None = None
        self._inline: InlineCopy | None = None
        self._replaced = 0
        self._old: dict[asyncio.Task[None], CallRunner] = {}

    async def load(self) -> None:
        """Load the service, and let it take the place of the one that runs, whose calls end as they began.

        Raises:
            As `marine_gen.load`; the service that runs goes on then.
        """
        limits = self._settings.limits
        source = await asyncio.to_thread(self._open_source)
        pool = await asyncio.to_thread(source.pool, limits.threads, limits.queue, name=f"serve-{self.version}")
        inline = InlineCopy(source)
        try:
            functions = await self.functions_of(pool.interface)
            self._choice.check(item.key for item in functions.values())
            if self._choice.used:  # a copy belongs to its thread, so the event loop waits; better now than in a call
                inline.load()
        except BaseException:
            inline.close()
            await asyncio.to_thread(pool.close)
            raise
        self._replaced = self.replaced
        old, self._runner = self._runner, CallRunner(pool)
        if self._inline is not None:
            self._inline.close()
        self._source, self._inline = source, inline
        self.interface, self.functions = pool.interface, functions
        self.version += 1
        if old is not None:
            task = asyncio.get_running_loop().create_task(old.close(limits.longest))
            self._old[task] = old
            task.add_done_callback(self._old.pop)

    async def functions_of(self, interface: Interface) -> Functions:
        """The functions of a version of the service; the known ones, if it has the same interface."""
        return self.functions if interface == self.interface else await asyncio.to_thread(functions_of, interface)

    def current(self, function: Function) -> Function:
        """The function that has the names of one now; another one when the service was reloaded since it was found.

        Raises:
            ProblemError: there is none any more.
        """
        return find_function(self.functions, function.module, function.name)

    def _check(self, function: Function) -> None:
        """Refuse arguments that were read for a function of another version.

        Raises:
            ProblemError: they were.
        """
        if self.functions.get((function.module, function.name)) is not function:
            raise ProblemError("busy", "the service was reloaded while the request arrived; send it once more")

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
        """The number of copies that were replaced."""
        return self._replaced + (self._runner.pool.statistics.replaced if self._runner else 0)

    def sticky(self, name: str) -> CallRunner:
        """A copy with its own state; blocks while it is loaded."""
        assert self._source is not None
        return CallRunner(self._source.pool(1, self._settings.limits.queue, name=name, sticky=True))

    async def call(self, function: Function, args: list[Any], options: Options, gone: Gone | None = None) -> Any:
        """Run a call.

        Raises:
            As `CallRunner.call`.
        """
        if self._runner is None:
            raise ProblemError("closing", "the service is not loaded")
        self._check(function)
        if self.runs_inline(function):
            return self.call_inline(function, args, options)
        if not self._choice.measures:
            return await self._runner.call(function, args, options, gone)
        started = perf_counter()
        result = await self._runner.call(function, args, options, gone)
        self._choice.measured(function.key, perf_counter() - started)
        return result

    def start(
        self, function: Function, args: list[Any], options: Options, notify: Callable[[StartedCall], None]
    ) -> StartedCall:
        """Start a call on a thread; see `CallRunner.start`.

        Raises:
            As `CallRunner.start`. ProblemError: the service is not loaded.
        """
        if self._runner is None:
            raise ProblemError("closing", "the service is not loaded")
        if not self._choice.measures:
            return self._runner.start(function, args, options, notify)
        started = perf_counter()

        def measured(call: StartedCall) -> None:
            if call.reason is None and call.future.exception() is None:
                self._choice.measured(function.key, perf_counter() - started)
            notify(call)

        return self._runner.start(function, args, options, measured)

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
        runners = [*self._old.values(), *([] if runner is None else [runner])]
        for task in self._old:
            task.cancel()
        drain = self._settings.limits.drain
        await asyncio.gather(*(item.close(drain) for item in runners), return_exceptions=True)

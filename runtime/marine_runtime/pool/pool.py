"""`ServicePool`: what users make, call and close. The work is done by `threads` or `processes`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from math import ceil
from pathlib import Path
from threading import current_thread
from time import monotonic
from types import TracebackType
from typing import Any, ClassVar, Literal, ParamSpec, Self, TypeVar

from marine_runtime.calls.limits import check_fuel
from marine_runtime.errors import ArgumentError
from marine_runtime.host.call_parameters import CallParameters, checked
from marine_runtime.pool.errors import PoolClosedError, PoolError
from marine_runtime.pool.event_loop import result_of
from marine_runtime.pool.functions import PoolFunction
from marine_runtime.pool.instance import HostFunctionsSource, Setup
from marine_runtime.pool.marshal import Surface
from marine_runtime.pool.options import pickled, processors, seconds
from marine_runtime.pool.processes import ProcessWorker
from marine_runtime.pool.queue import CallOptions, Job, Jobs, Request
from marine_runtime.pool.threads import CallWatchdog, ThreadWorker
from marine_runtime.pool.worker import PoolStatistics, Worker, Workers
from marine_runtime.service.handles import UNDECLARED, Declared, ModuleHandle
from marine_runtime.service.interface import Interface
from marine_runtime.service.service import Service

Kind = Literal["processes", "threads"]
Arguments = Sequence[Any] | Mapping[str, Any]
P = ParamSpec("P")
T = TypeVar("T")

MAX_CHUNK = 1000
"""Rows that `map` sends in one go at most."""

_LAST_JOIN = 7.0


class ServicePool:
    """Copies of one service that run calls in parallel. Use it as a context manager, or `close()` it.

    Every call runs on some copy; copies share nothing, so state that a guest keeps between calls is that of one copy.
    A pool may be used from any thread, and from asyncio by `call_async` and `run_async`; `AsyncServicePool` is for
    programs that run on asyncio altogether. Functions are attributes as those of a service are:
    `pool.modules.facade.get_n_save(url, name)` is a `call`.

    Args:
        source: a directory that `marine-gen build` wrote, or a function that gives a new service, such as
            `functools.partial(marine_gen.load, "Config.toml")`; for processes, one that can be pickled.
        workers: how many copies; one per processor by default.
        kind: `processes`, or `threads` of this process.
        host_functions: as `load` takes them, or a function that makes them, called once per copy. Worker processes
            need ones that can be pickled; worker threads call them at the same time.
        timeout: seconds that a call may run, unless the call says otherwise; waiting in the queue does not count.
        queue: how many calls may wait for a worker.
        options: further keyword arguments for `load` or `source`.
        replace_poisoned: load a copy anew after a trap, a limit that was reached, or a Python exception in a host
            function.
        start_timeout: seconds that loading a copy may take.
        name: what messages and threads call the pool.

    Raises:
        LoadError and others, as loading does: the first copy that could not be loaded.
        ArgumentError: an argument is out of range, or can't be sent to a worker process.
        PoolError: the workers did not start.
    """

    modules: Any  # `Modules`; generated packages declare a class of their own, with these modules and no others
    _declared: ClassVar[Declared] = UNDECLARED

    def __init__(
        self,
        source: str | Path | Callable[..., Service],
        *,
        workers: int | None = None,
        kind: Kind = "processes",
        host_functions: HostFunctionsSource | None = None,
        timeout: float | None = None,
        queue: int = 1024,
        options: Mapping[str, Any] | None = None,
        replace_poisoned: bool = True,
        start_timeout: float = 60.0,
        name: str = "pool",
    ) -> None:
        if kind not in ("processes", "threads"):
            raise ArgumentError(f"unknown kind of workers `{kind}`: choose processes, threads")
        count = processors() if workers is None else workers
        for what, number in (("workers", count), ("queue", queue)):
            if type(number) is not int or number < 1:
                raise ArgumentError(f"{what} must be a number of at least 1, got {number!r}")
        self.name, self.kind = name, kind
        self._workers, self._closing = count, False
        self._timeout = seconds("timeout", timeout)
        setup = Setup(source, host_functions, dict(options or {}), replace_poisoned)
        payload = pickled(setup) if kind == "processes" else b""
        start = seconds("start_timeout", start_timeout)
        assert start is not None
        self._jobs = Jobs(queue)
        self._crew = Workers(name, setup, self._jobs, payload, start)
        self._watchdog = CallWatchdog()
        try:
            started = [self._crew.enlist(self._worker(number)).started for number in range(count)]
            # A process has its own limit inside; a thread that hangs while it loads can only be left behind.
            limit = monotonic() + start + 1
            interfaces = [_wait(item, limit) for item in started]
            self._surface = Surface(interfaces[0], self._declared)
            self.modules = self._declared.together({name: self._handle(name) for name in interfaces[0].modules})
        except BaseException:
            self.close(timeout=0)
            raise

    def _handle(self, module: str) -> ModuleHandle:
        """The functions of a module, each of which makes a call of the pool."""
        item, terms = self._surface.interface.modules[module], self._terms()
        functions = {
            name: PoolFunction(
                module, name, self._surface.function(module, name), item.signature(name), terms, self._wait
            )
            for name in item.functions
        }
        return self._declared.handle(module, functions, self._surface.records[module])

    def _wait(self, job: Job) -> Any:
        """Queue a call and wait for its result."""
        self._jobs.put(job, None)
        try:
            return job.future.result()
        finally:
            job.future.cancel()  # after Ctrl-C, nobody waits for it any more

    def _worker(self, number: int) -> Callable[[], Worker]:
        if self.kind == "threads":
            return lambda: ThreadWorker(self._crew, number, self._watchdog)
        return lambda: ProcessWorker(self._crew, number)

    @property
    def interface(self) -> Interface:
        """Signatures and records of every module; `str()` gives a listing."""
        return self._surface.interface

    @property
    def records(self) -> Mapping[str, Mapping[str, type]]:
        """The record classes of results, by module and record name."""
        return self._surface.records

    @property
    def statistics(self) -> PoolStatistics:
        """What has been replaced so far."""
        return self._crew.statistics

    @property
    def waiting(self) -> int:
        """How many calls wait for a worker."""
        return len(self._jobs)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing

    def call(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        timeout: float | None = None,
        fuel: int | None = None,
        call_parameters: CallParameters | None = None,
    ) -> Any:
        """Call a function and wait for its result. Waits for room in the queue first, as long as it takes.

        Args:
            module: import name of the module.
            function: name of the function.
            args: positional arguments as a sequence, or named ones as a mapping.
            timeout: seconds that the call may run; that of the pool by default.
            fuel: as for `Service.call`; what the copies were loaded with by default.
            call_parameters: as for `Service.call`.

        Raises:
            CallTimeoutError: it ran longer. WorkerDiedError: its process ended. PoolClosedError: the pool is closed.
            Others: as `Service.call`.
        """
        return self._wait(self._job(module, function, args, self._terms(timeout, fuel, call_parameters)))

    def submit(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        timeout: float | None = None,
        fuel: int | None = None,
        call_parameters: CallParameters | None = None,
        wait: float | None = None,
    ) -> Future[Any]:
        """Queue a call; gives the future of its result. A call that waits can be cancelled, one that runs can't.

        Args:
            module: import name of the module.
            function: name of the function.
            args: as for `call`.
            timeout: as for `call`.
            fuel: as for `call`.
            call_parameters: as for `call`.
            wait: seconds to wait for room in the queue; 0 not to wait, None to wait as long as it takes.

        Raises:
            ArgumentError: there is no such function, or the arguments do not fit its signature.
            PoolFullError: there was no room. PoolClosedError: the pool is closed.
        """
        job = self._job(module, function, args, self._terms(timeout, fuel, call_parameters))
        self._jobs.put(job, wait)
        return job.future

    def map(
        self,
        module: str,
        function: str,
        rows: Iterable[Arguments],
        *,
        timeout: float | None = None,
        fuel: int | None = None,
        call_parameters: CallParameters | None = None,
        chunk: int | None = None,
    ) -> list[Any]:
        """Call a function for many rows of arguments, spread over the workers.

        Rows travel in chunks, which `Service.call_batch` runs. With a limit of time or fuel each row travels alone.

        Args:
            module: import name of the module.
            function: name of the function.
            rows: the arguments of each call, as for `call`.
            timeout: as for `call`, for each row.
            fuel: as for `call`, for each row.
            call_parameters: as for `call`.
            chunk: rows per chunk; by default some chunks per worker.

        Returns:
            For every row, in order, the result, or the exception that `call` would have raised. When a process dies,
            all rows of its chunk have failed.

        Raises:
            ArgumentError: there is no such function, or `chunk` is out of range. PoolClosedError: the pool is closed.
        """
        found = self._surface.function(module, function)
        terms = self._terms(timeout, fuel, call_parameters)
        if chunk is not None and (type(chunk) is not int or chunk < 1):
            raise ArgumentError(f"chunk must be a number of at least 1, got {chunk!r}")
        results: list[Any] = []
        good: list[tuple[int, Any]] = []
        for position, row in enumerate(rows):
            results.append(None)
            try:
                good.append((position, found.arguments(row)))
            except ArgumentError as error:
                results[position] = error
        size = chunk or min(MAX_CHUNK, ceil(len(good) / (4 * self._workers)) or 1)
        size = 1 if terms.limited else size
        jobs: list[tuple[list[tuple[int, Any]], Job]] = []
        try:
            for start in range(0, len(good), size):
                part = good[start : start + size]
                request = Request(module, function, [values for _, values in part], terms)
                job = Job(request, found.publish, many=True)
                self._jobs.put(job, None)
                jobs.append((part, job))
            for part, job in jobs:
                problem = job.future.exception()
                outcomes = [problem] * len(part) if problem else job.future.result()
                for (position, _), outcome in zip(part, outcomes, strict=True):
                    results[position] = outcome
        finally:
            for _, job in jobs:
                job.future.cancel()
        return results

    def interrupt(self, future: Future[Any]) -> bool:
        """Break off a call that was submitted: it is dropped while it waits, and its guest is stopped while it runs.

        The call then fails with `CallTimeoutError`. Only a guest on a worker thread can be stopped, and only in a call
        with a time limit. A host function goes on, and the guest is stopped when it returns; so ask again for as long
        as the future is not done.

        Returns:
            Whether it was dropped or stopped.
        """
        if future.cancel():
            return True
        return any(isinstance(worker, ThreadWorker) and worker.interrupt(future) for worker in self._team())

    async def call_async(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        timeout: float | None = None,
        fuel: int | None = None,
        call_parameters: CallParameters | None = None,
    ) -> Any:
        """Call a function without blocking the event loop, neither for its result nor for room in the queue.

        When the task is cancelled, a call that waits is dropped; one that runs goes on, and nobody gets its result.

        Raises:
            As `call`.
        """
        return await result_of(
            self._jobs, self._job(module, function, args, self._terms(timeout, fuel, call_parameters))
        )

    async def run_async(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a function of `modules`, as `await pool.run_async(pool.modules.greeting.greeting, "John")`.

        Raises:
            ArgumentError: `function` is not one of this pool. Others: as `call`.
        """
        if not isinstance(function, PoolFunction) or function.run != self._wait:
            raise ArgumentError(f"run_async takes a function of the pool's `modules`, got {function!r}")
        result: T = await result_of(self._jobs, function.job(args, kwargs))
        return result

    def _job(self, module: str, function: str, args: Arguments, terms: CallOptions) -> Job:
        found = self._surface.function(module, function)
        return Job(Request(module, function, [found.arguments(args)], terms), found.publish)

    def _terms(
        self, timeout: float | None = None, fuel: int | None = None, parameters: CallParameters | None = None
    ) -> CallOptions:
        """Those of a call, checked before it waits."""
        if fuel is not None:
            check_fuel(fuel)
        if parameters is not None:
            checked(parameters)
        return CallOptions(self._timeout if timeout is None else seconds("timeout", timeout), fuel, parameters)

    def close(self, timeout: float = 10.0) -> None:
        """Take no more calls, let those that were taken end, and free all copies. Closing twice is fine.

        Args:
            timeout: seconds to wait for calls; those that have not ended then fail with PoolClosedError, worker
                processes are killed, and worker threads are left to end when their calls do.
        """
        self._closing = True
        self._jobs.close()
        limit = monotonic() + max(0.0, timeout)
        try:
            for worker in self._team():
                if not getattr(worker, "abandoned", False):
                    worker.thread.join(max(0.0, limit - monotonic()))
        finally:  # also when the wait is interrupted
            self._crew.closing = True
            for job in self._jobs.drain():
                job.fail(PoolClosedError("the pool was closed before the call ended"))
            for worker in self._team():
                worker.stop(lambda _: PoolClosedError("the pool was closed before the call ended"))
            self._watchdog.stop()
            limit = monotonic() + _LAST_JOIN
            for worker in self._team():
                if worker.job is None or isinstance(worker, ProcessWorker):
                    worker.thread.join(max(0.0, limit - monotonic()))

    def _team(self) -> list[Worker]:
        with self._crew.lock:
            return [worker for worker in self._crew.workers if worker.thread is not current_thread()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After an error nobody waits for the calls that are left.
        self.close(**({"timeout": 0} if value is not None else {}))

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self._workers} {self.kind}, {self.waiting} calls wait"
        return f"<ServicePool {self.name}: {state}>"


def _wait(started: Future[Interface], limit: float) -> Interface:
    try:
        return started.result(max(0.0, limit - monotonic()))
    except TimeoutError:
        if started.done():
            raise  # loading raised it
        raise PoolError("the copies were not loaded in time") from None

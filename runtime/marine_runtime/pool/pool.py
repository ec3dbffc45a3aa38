"""`ServicePool`: instances of one service that run calls in parallel, over `threads` or `processes`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from math import ceil
from pathlib import Path
from threading import current_thread
from time import monotonic
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, Unpack

from marine_runtime.calls.options import CallOptions, refuse_unknown, with_keywords
from marine_runtime.config.checks import check_boolean, check_mapping, check_path, check_rows, check_seconds
from marine_runtime.errors import ArgumentError
from marine_runtime.pool.errors import PoolClosedError, PoolError
from marine_runtime.pool.event_loop import result_of
from marine_runtime.pool.functions import PoolFunction
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.marshal import ServiceMarshaller
from marine_runtime.pool.options import (
    MOST_WORKERS,
    PoolOptions,
    call_options,
    limited,
    number,
    pickled,
    processors,
    seconds,
)
from marine_runtime.pool.processes import ProcessWorker
from marine_runtime.pool.queue import Job, Jobs, Request
from marine_runtime.pool.threads import CallWatchdog, ThreadWorker
from marine_runtime.pool.worker import PoolStatistics, Worker, Workers
from marine_runtime.service.handles import UNDECLARED, Declared, ModuleHandle
from marine_runtime.service.interface import Interface
from marine_runtime.service.service import Service

Arguments = Sequence[Any] | Mapping[str, Any]
P = ParamSpec("P")
T = TypeVar("T")

MAX_CHUNK = 1000
"""Rows that `map` sends in one go at most."""

_LAST_JOIN = 7.0


class ServicePool:
    """Instances of one service that run calls in parallel. Use it as a context manager, or `close()` it.

    Every call runs on some instance; instances share nothing, so state that a guest keeps between calls is that of one
    instance.
    A pool may be used from any thread, and from asyncio by `call_async` and `run_async`; `AsyncServicePool` is for
    programs that run on asyncio altogether. Functions are attributes as those of a service are:
    `pool.modules.facade.get_n_save(url, name)` is a `call`.

    Args:
        source: a directory that `marine-gen build` wrote, or a function that returns a new service, such as
            `functools.partial(marine_gen.load, "Config.toml")`; for processes, one that can be pickled.
        options: `workers`, `kind`, `host_functions`, `timeout` and others; see `PoolOptions`.

    Raises:
        LoadError and others, as loading does: the first instance that could not be loaded.
        ArgumentError: an argument is out of range, or can't be sent to a worker process.
        PoolError: the workers did not start.
    """

    modules: Any  # `Modules`; generated packages declare a class of their own, with these modules and no others
    _declared: ClassVar[Declared] = UNDECLARED

    @with_keywords(PoolOptions)
    def __init__(self, source: str | Path | Callable[..., Service], **options: Unpack[PoolOptions]) -> None:
        refuse_unknown("ServicePool", options, PoolOptions)
        kind, workers = options.get("kind", "processes"), options.get("workers")
        if kind not in ("processes", "threads"):
            raise ArgumentError(f"unknown kind of workers `{kind}`: choose processes, threads")
        count = number("workers", processors() if workers is None else workers, MOST_WORKERS)
        queue = number("queue", options.get("queue", 1024))
        self.name, self.kind = options.get("name", "pool"), kind
        if not isinstance(self.name, str):
            raise ArgumentError(f"the name of a pool is a text, not {type(self.name).__name__}")
        self._count, self._closing = count, False
        self._timeout = seconds("timeout", options.get("timeout"))
        replace = check_boolean(options.get("replace_poisoned", True), "`replace_poisoned`")
        further = check_mapping(options.get("options") or {}, "`options`")
        place = source if callable(source) else str(check_path(source, "the source of a pool"))
        setup = Setup(place, options.get("host_functions"), dict(further), replace)
        payload = pickled(setup) if kind == "processes" else b""
        start = check_seconds(options.get("start_timeout", 60.0), "start_timeout")
        self._jobs = Jobs(queue)
        self._workers = Workers(self.name, setup, self._jobs, payload, start)
        self._watchdog = CallWatchdog()
        try:
            started = [self._workers.enlist(self._worker(position)).started for position in range(count)]
            # A process has its own limit inside; a thread that hangs while it loads can only be left behind.
            limit = monotonic() + start + 1
            interfaces = [_wait(item, limit) for item in started]
            self._marshaller = ServiceMarshaller(interfaces[0], self._declared)
            self.modules = self._declared.together({name: self._handle(name) for name in interfaces[0].modules})
        except BaseException:
            self.close(timeout=0)
            raise

    def _handle(self, module: str) -> ModuleHandle:
        """The functions of a module, each of which makes a call of the pool."""
        item, options = self._marshaller.interface.modules[module], call_options({}, self._timeout)
        functions = {
            name: PoolFunction(
                module, name, self._marshaller.function(module, name), item.signature(name), options, self._wait
            )
            for name in item.functions
        }
        return self._declared.handle(module, functions, self._marshaller.records[module], item.left_out)

    def _wait(self, job: Job) -> Any:
        """Queue a call and wait for its result."""
        self._jobs.put(job, None)
        try:
            return job.future.result()
        finally:
            job.future.cancel()  # after Ctrl-C, nobody waits for it any more

    def _worker(self, number: int) -> Callable[[], Worker]:
        if self.kind == "threads":
            return lambda: ThreadWorker(self._workers, number, self._watchdog)
        return lambda: ProcessWorker(self._workers, number)

    @property
    def interface(self) -> Interface:
        """Signatures and records of every module; `str()` gives a listing."""
        return self._marshaller.interface

    @property
    def records(self) -> Mapping[str, Mapping[str, type]]:
        """The record classes of results, by module and record name."""
        return self._marshaller.records

    @property
    def statistics(self) -> PoolStatistics:
        """Counts of replaced and lost workers so far."""
        return self._workers.statistics

    @property
    def waiting(self) -> int:
        """The number of calls that wait for a worker."""
        return len(self._jobs)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing

    @with_keywords(CallOptions)
    def call(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        **options: Unpack[CallOptions],
    ) -> Any:
        """Call a function and wait for its result. Waits for room in the queue first, as long as it takes.

        Args:
            module: import name of the module.
            function: name of the function.
            args: positional arguments as a sequence, or named ones as a mapping.
            options: as for `Service.call`; by default the time limit is the pool's, the fuel that of the instances.

        Raises:
            CallTimeoutError: it ran longer. WorkerDiedError: its process ended. PoolClosedError: the pool is closed.
            Others: as `Service.call`.
        """
        return self._wait(self._job("ServicePool.call", module, function, args, options))

    @with_keywords(CallOptions)
    def submit(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        wait: float | None = None,
        **options: Unpack[CallOptions],
    ) -> Future[Any]:
        """Queue a call, and return the future of its result. A call that waits can be cancelled, one that runs can't.

        Args:
            module: import name of the module.
            function: name of the function.
            args: as for `call`.
            wait: seconds to wait for room in the queue; 0 not to wait, None to wait as long as it takes.
            options: as for `call`.

        Raises:
            ArgumentError: there is no such function, or the arguments do not fit its signature.
            PoolFullError: there was no room. PoolClosedError: the pool is closed.
        """
        job = self._job("ServicePool.submit", module, function, args, options)
        self._jobs.put(job, None if wait is None else check_seconds(wait, "the time to wait for room", zero=True))
        return job.future

    @with_keywords(CallOptions)
    def map(
        self,
        module: str,
        function: str,
        rows: Iterable[Arguments],
        *,
        chunk: int | None = None,
        **options: Unpack[CallOptions],
    ) -> list[Any]:
        """Call a function for many rows of arguments, spread over the workers.

        Rows travel in chunks, which `Service.call_batch` runs. With a limit of time or fuel each row travels alone.

        Args:
            module: import name of the module.
            function: name of the function.
            rows: the arguments of each call, as for `call`.
            chunk: rows per chunk; by default some chunks per worker.
            options: as for `call`, for each row.

        Returns:
            For every row, in order, the result, or the exception that `call` would have raised. When a process dies,
            all rows of its chunk have failed.

        Raises:
            ArgumentError: there is no such function, or `chunk` is out of range. PoolClosedError: the pool is closed.
        """
        found = self._marshaller.function(module, function)
        refuse_unknown("ServicePool.map", options, CallOptions)
        common = call_options(options, self._timeout)
        if chunk is not None:
            number("chunk", chunk)
        results: list[Any] = []
        good: list[tuple[int, Any]] = []
        for position, row in enumerate(check_rows(rows)):
            results.append(None)
            try:
                good.append((position, found.arguments(row)))
            except ArgumentError as error:
                results[position] = error
        size = chunk or min(MAX_CHUNK, ceil(len(good) / (4 * self._count)) or 1)
        size = 1 if limited(common) else size
        jobs: list[tuple[list[tuple[int, Any]], Job]] = []
        try:
            for start in range(0, len(good), size):
                part = good[start : start + size]
                request = Request(module, function, [values for _, values in part], common)
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
        """Drop a submitted call while it waits, or interrupt its guest while it runs.

        An interrupted call fails with `CallTimeoutError`. Only guests on worker threads can be interrupted, and only in
        calls with a time limit. A host function runs to its end, and the guest is not interrupted afterwards unless
        this is called again; so repeat it until the future is done.

        Returns:
            Whether the call was dropped or its guest interrupted.
        """
        if future.cancel():
            return True
        return any(isinstance(worker, ThreadWorker) and worker.interrupt(future) for worker in self._others())

    @with_keywords(CallOptions)
    async def call_async(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        **options: Unpack[CallOptions],
    ) -> Any:
        """Call a function without blocking the event loop, neither for its result nor for room in the queue.

        When the task is cancelled, a call that waits is dropped; one that runs goes on, and nobody gets its result.

        Raises:
            As `call`.
        """
        return await result_of(self._jobs, self._job("ServicePool.call_async", module, function, args, options))

    async def run_async(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a function of `modules`, as `await pool.run_async(pool.modules.greeting.greeting, "John")`.

        Raises:
            ArgumentError: `function` is not one of this pool. Others: as `call`.
        """
        if not isinstance(function, PoolFunction) or function.run != self._wait:
            raise ArgumentError(f"run_async takes a function of the pool's `modules`, got {function!r}")
        result: T = await result_of(self._jobs, function.job(args, kwargs))
        return result

    def _job(self, method: str, module: str, function: str, args: Arguments, options: CallOptions) -> Job:
        """A call that is not queued yet, made by `method`."""
        refuse_unknown(method, options, CallOptions)
        found, checked = self._marshaller.function(module, function), call_options(options, self._timeout)
        return Job(Request(module, function, [found.arguments(args)], checked), found.publish)

    def close(self, timeout: float = 10.0) -> None:
        """Take no more calls, let those that were taken end, and free all instances. Closing twice is fine.

        Args:
            timeout: seconds to wait for calls; those that have not ended then fail with PoolClosedError, worker
                processes are killed, and worker threads are left to end when their calls do.
        """
        limit = monotonic() + check_seconds(timeout, "the time to wait for calls", zero=True)
        self._closing = True
        self._jobs.close()
        try:
            for worker in self._others():
                if not getattr(worker, "abandoned", False):
                    worker.thread.join(max(0.0, limit - monotonic()))
        finally:  # also when the wait is interrupted
            self._workers.closing = True
            for job in self._jobs.drain():
                job.fail(PoolClosedError("the pool was closed before the call ended"))
            for worker in self._others():
                worker.stop(lambda _: PoolClosedError("the pool was closed before the call ended"))
            self._watchdog.stop()
            limit = monotonic() + _LAST_JOIN
            for worker in self._others():
                if worker.job is None or isinstance(worker, ProcessWorker):
                    worker.thread.join(max(0.0, limit - monotonic()))

    def _others(self) -> list[Worker]:
        with self._workers.lock:
            return [worker for worker in self._workers.members if worker.thread is not current_thread()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After an error nobody waits for the calls that are left.
        self.close(**({"timeout": 0} if value is not None else {}))

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self._count} {self.kind}, {self.waiting} calls wait"
        return f"<ServicePool {self.name}: {state}>"


def _wait(started: Future[Interface], limit: float) -> Interface:
    try:
        return started.result(max(0.0, limit - monotonic()))
    except TimeoutError:
        if started.done():
            raise  # loading raised it
        raise PoolError("the instances were not loaded in time") from None

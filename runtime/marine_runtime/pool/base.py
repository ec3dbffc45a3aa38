"""The common part of all pools: calls, their options and closing, over workers of any kind."""

from __future__ import annotations

import warnings
from _thread import start_new_thread
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from math import ceil
from types import TracebackType

from marine_runtime.calls.options import CallOptions, refuse_unknown, with_keywords
from marine_runtime.calls.uncopied import Uncopied
from marine_runtime.config.checks import check_rows, check_seconds
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any, ClassVar, Self, Unpack
from marine_runtime.pool.errors import PoolError
from marine_runtime.pool.functions import PoolFunction
from marine_runtime.pool.job import Job, Request
from marine_runtime.pool.marshal import ServiceMarshaller
from marine_runtime.pool.options import call_options, limited, number
from marine_runtime.pool.worker import PoolStatistics, Worker, Workers
from marine_runtime.service.handles import UNDECLARED, Declared, ModuleHandle
from marine_runtime.service.interface import Interface
from marine_runtime.values.scalars import kind
from marine_runtime.wasm.native import monotonic

Arguments = Sequence[Any] | Mapping[str, Any]

MAX_CHUNK = 1000
"""Rows that `map` sends in one go at most."""


class BasePool(Uncopied):
    """Calls over the workers of a pool.

    Args:
        kind: the kind of its workers.
        workers: all workers of the pool; none is started yet.
        timeout: seconds that a call may run, unless it says otherwise.
    """

    modules: Any  # `Modules`; generated packages declare a class of their own, with these modules and no others
    _declared: ClassVar[Declared] = UNDECLARED
    _advice = "make a pool in each process, or pass on what makes it"

    def __init__(self, kind: str, workers: Workers, timeout: float | None) -> None:
        self.name, self.kind = workers.name, kind
        self._closing = False
        self._timeout, self._workers, self._jobs = timeout, workers, workers.jobs
        self._count = 0

    def _start(self, make: Callable[[int], Worker], count: int) -> None:
        """Start `count` workers and wait until all have an instance.

        Raises:
            LoadError and others, as loading does: the first instance that could not be loaded.
            PoolError: they did not start in time.
        """
        self._count = count
        try:
            started = [self._workers.enlist(partial(make, position)).started for position in range(count)]
            # A process has its own limit inside; a thread that hangs while it loads can only be left behind.
            limit = monotonic() + self._workers.start_timeout + 1
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
        """True if `close` was called."""
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
        return self._wait(self._job("call", module, function, args, options))

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
        job = self._job("submit", module, function, args, options)
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
        """Call a function for many rows of arguments, distributed over the workers.

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
        self._refuse_unknown("map", options)
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
        if not isinstance(future, Future):
            raise ArgumentError(f"interrupt takes a future that `submit` returned, not {kind(future)}")
        if self._jobs.forked:
            return False
        if future.cancel():
            return True
        return any(worker.interrupt(future) for worker in self._workers.others())

    def _job(self, method: str, module: str, function: str, args: Arguments, options: CallOptions) -> Job:
        """A call that is not queued yet, made by `method`."""
        self._refuse_unknown(method, options)
        found, checked = self._marshaller.function(module, function), call_options(options, self._timeout)
        return Job(Request(module, function, [found.arguments(args)], checked), found.publish)

    def _refuse_unknown(self, method: str, options: CallOptions) -> None:
        if options:
            refuse_unknown(f"{type(self).__name__}.{method}", options, CallOptions)

    def close(self, timeout: float = 10.0) -> None:
        """Refuse new calls, finish those that were taken, and free all instances. Closing twice is fine.

        Args:
            timeout: seconds to wait for calls; those that have not ended then fail with PoolClosedError, worker
                processes are killed, and worker threads are left to end when their calls do. In a forked process
                nothing is done: the workers are not its own.
        """
        timeout = check_seconds(timeout, "the time to wait for calls", zero=True)
        self._closing = True
        if not self._jobs.forked:
            self._workers.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After an error nobody waits for the calls that are left.
        self.close(**({"timeout": 0} if value is not None else {}))

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self._count} {self.kind}, {self.waiting} calls wait"
        return f"<{type(self).__name__} {self.name}: {state}>"

    def __del__(self) -> None:
        if getattr(self, "_closing", True) or self._jobs.forked:
            return
        # The garbage collector may run while this thread holds any lock, so another thread closes the pool.
        with suppress(RuntimeError):  # the interpreter ends, and processes with it
            start_new_thread(self._workers.close, (0.0,))
        text = f"{self!r} was never closed: use it in a `with` block, or call its close()"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)


def _wait(started: Future[Interface], limit: float) -> Interface:
    try:
        return started.result(max(0.0, limit - monotonic()))
    except TimeoutError:
        if started.done():
            raise  # loading raised it
        raise PoolError("the instances were not loaded in time") from None

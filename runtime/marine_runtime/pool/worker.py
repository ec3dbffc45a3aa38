"""One worker and all workers of a pool: the parts that threads and processes share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread, current_thread
from weakref import WeakSet

from marine_runtime.errors import CallTimeoutError
from marine_runtime.lazy.forks import begin_in_child
from marine_runtime.lazy.typing import Any, ClassVar
from marine_runtime.pool.errors import PoolClosedError, PoolError, WorkerDiedError
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.job import Job, Reason, Reply
from marine_runtime.pool.queue import Jobs
from marine_runtime.service.interface import Interface
from marine_runtime.texts.messages import no_thread, no_thread_memory
from marine_runtime.wasm.native import may_begin, monotonic

GRACE = 0.5
"""Seconds beyond its time limit that a call gets: guest code is interrupted at the limit, by Wasmtime."""

_LAST_JOIN = 7.0

RETRIES = (0.0, 0.2, 1.0)
"""Seconds to wait before each attempt to replace an instance or a process."""


def closed_too_early(job: Job | None) -> BaseException:
    """The error of a job that the closing of its pool has ended."""
    return PoolClosedError("the pool was closed before the call ended")


@dataclass(slots=True)
class PoolStatistics:
    """Counts of replaced and lost workers of a pool.

    Attributes:
        replaced: instances that were loaded again after a trap, a limit that was reached, or an exception in a host
            function.
        restarted: worker processes that were started again, because they died or ran out of time.
        abandoned: worker threads that were given up in a call that did not end in time.
        lost: workers that could not be replaced.
    """

    replaced: int = 0
    restarted: int = 0
    abandoned: int = 0
    lost: int = 0


class Workers:
    """All workers of a pool.

    Attributes:
        closing: set when no worker is to be replaced any more.
        payload: the pickled setup, for processes.
        start_timeout: seconds that loading an instance may take.
        at_end: is called when all workers were told to end.
        members: those that take jobs, and those that were given up and have not ended yet.
    """

    def __init__(self, name: str, setup: Setup, jobs: Jobs, payload: bytes, start_timeout: float) -> None:
        self.name, self.setup, self.jobs, self.payload = name, setup, jobs, payload
        self.start_timeout = start_timeout
        self.closing = False
        self.statistics = PoolStatistics()
        self.members: list[Worker] = []
        self.at_end: list[Callable[[], None]] = []
        self.lock = Lock()
        self._active = 0
        _everywhere.add(self)

    @property
    def active(self) -> int:
        """The number of workers that take jobs."""
        return self._active

    def enlist(self, make: Callable[[], Worker]) -> Worker:
        """Start a new worker.

        Raises:
            PoolError: the system has no thread left.
        """
        worker = make()
        try:
            begins = may_begin()
        except RuntimeError as error:
            raise PoolError(f"a worker of the pool can't be started: {no_thread(error)}") from error
        if not begins:
            raise PoolError(f"a worker of the pool can't be started: {no_thread_memory()}")
        with self.lock:
            self.members.append(worker)
            self._active += 1
            try:
                worker.thread.start()  # whoever sees it in the list may join it
            except RuntimeError as error:
                self.members.remove(worker)
                self._active -= 1
                raise PoolError(f"a worker of the pool can't be started: {no_thread(error)}") from error
        return worker

    def count(self, what: str) -> None:
        """Add one to a statistic."""
        with self.lock:
            setattr(self.statistics, what, getattr(self.statistics, what) + 1)

    def retire(self, worker: Worker) -> None:
        """Note that a worker takes no more jobs; another one may take its place."""
        with self.lock:
            self._active -= 1

    def left(self, worker: Worker) -> None:
        """Note that the thread of a worker ends."""
        with self.lock, suppress(ValueError):
            self.members.remove(worker)

    def close(self, timeout: float) -> None:
        """Take no more jobs, wait `timeout` seconds for those that were taken, and end all workers."""
        self.jobs.close()
        limit = monotonic() + max(0.0, timeout)
        try:
            for worker in self.others():
                if not worker.abandoned:
                    worker.thread.join(max(0.0, limit - monotonic()))
        finally:  # also when the wait is interrupted
            self.closing = True
            for job in self.jobs.drain():
                job.fail(closed_too_early(job))
            for worker in self.others():
                worker.stop(closed_too_early)
            for end in self.at_end:
                end()
            limit = monotonic() + _LAST_JOIN
            for worker in self.others():
                if worker.killable or not worker.running:
                    worker.thread.join(max(0.0, limit - monotonic()))

    def others(self) -> list[Worker]:
        """All workers but that of the current thread."""
        with self.lock:
            return [worker for worker in self.members if worker.thread is not current_thread()]

    def lose(self, worker: Worker, reason: BaseException) -> None:
        """Count a worker that can't be replaced. Without any worker, nothing that waits can ever run."""
        self.count("lost")
        with self.lock:
            self._active -= 1
            last = self._active == 0
        if last and not self.closing:
            kind = WorkerDiedError if isinstance(reason, WorkerDiedError) else PoolError
            text = f"the pool has no worker left: {reason}"
            self.jobs.close(kind(text))
            for job in self.jobs.drain():
                error = kind(text)
                error.__cause__ = reason
                job.fail(error)


_everywhere: WeakSet[Workers] = WeakSet()


def stop_replacing() -> None:
    """Replace no worker of any pool any more: the program ends."""
    for workers in list(_everywhere):
        workers.closing = True


def _leave_in_child() -> None:
    """In a forked process: nothing of it runs the calls of its parent's pools, or may take them back."""
    for workers in list(_everywhere):
        for job in [*workers.jobs.all(), *(job for worker in list(workers.members) for job in worker.running)]:
            job.future.leave()


begin_in_child(_leave_in_child)


class Worker(ABC):
    """A thread that takes jobs from the queue of the pool.

    Attributes:
        workers: all workers of the pool.
        started: the interface of its instance, or the reason.
        running: the jobs that it was given and that have not ended.
        killable: whether `stop` ends it in the middle of a call.
        abandoned: whether it was given up in a call that did not end in time.
    """

    killable: ClassVar[bool] = False

    def __init__(self, workers: Workers, number: int) -> None:
        self.workers, self.number = workers, number
        self.started: Future[Interface] = Future()
        self.running: Sequence[Job] = ()
        self.abandoned = False
        self.thread = Thread(target=self._main, name=f"{workers.name}-{number}", daemon=True)

    def _main(self) -> None:
        try:
            self.work()
        except BaseException as error:  # a bug of ours: callers must not wait for ever
            for job in self.running:
                job.fail(PoolError(f"worker {self.number} failed: {type(error).__name__}: {error}"))
            self.workers.lose(self, error)
        finally:
            if not self.started.done():
                self.started.set_exception(PoolClosedError("the pool is closed"))
            self.workers.left(self)

    def _settle(self, job: Job, reply: Reply) -> bool:
        """Hand the reply over; False when the job was settled already.

        Results that come after the limit are too late, even when a busy machine let nobody notice it passing.
        """
        limit = job.request.options.get("timeout")
        if limit is None or reply.errors or reply.seconds <= limit + GRACE:
            return job.finish(reply)
        return job.fail(CallTimeoutError(f"{job} ran longer than {limit:g} s"))

    @abstractmethod
    def work(self) -> None:
        """Load an instance, then run jobs until there are none."""

    @abstractmethod
    def stop(self, reason: Reason) -> None:
        """End at once, as far as possible; `reason` makes the error of each job it runs. From any thread."""

    def interrupt(self, future: Future[Any]) -> bool:
        """Interrupt the guest of the call behind `future`; False when this worker does not run it, or can't."""
        return False

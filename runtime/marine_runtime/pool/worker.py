"""One worker and all workers of a pool: the parts that threads and processes share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic
from typing import Any

from marine_runtime.errors import CallTimeoutError
from marine_runtime.pool.errors import PoolClosedError, PoolError
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.queue import Job, Jobs, Reply
from marine_runtime.service.interface import Interface

GRACE = 0.5
"""Seconds beyond its time limit that a call gets: guest code is interrupted at the limit, by Wasmtime."""

RETRIES = (0.0, 0.2, 1.0)
"""Seconds to wait before each attempt to replace an instance or a process."""


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
        members: those that take jobs, and those that were given up and have not ended yet.
    """

    def __init__(self, name: str, setup: Setup, jobs: Jobs, payload: bytes, start_timeout: float) -> None:
        self.name, self.setup, self.jobs, self.payload = name, setup, jobs, payload
        self.start_timeout = start_timeout
        self.closing = False
        self.statistics = PoolStatistics()
        self.members: list[Worker] = []
        self.lock = Lock()
        self._active = 0

    def enlist(self, make: Callable[[], Worker]) -> Worker:
        """Start a new worker."""
        worker = make()
        with self.lock:
            self.members.append(worker)
            self._active += 1
            worker.thread.start()  # whoever sees it in the list may join it
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

    def lose(self, worker: Worker, reason: BaseException) -> None:
        """Count a worker that can't be replaced. Without any worker, nothing that waits can ever run."""
        self.count("lost")
        with self.lock:
            self._active -= 1
            last = self._active == 0
        if last and not self.closing:
            text = f"the pool has no worker left: {reason}"
            self.jobs.close(PoolError(text))
            for job in self.jobs.drain():
                error = PoolError(text)
                error.__cause__ = reason
                job.fail(error)


class Worker(ABC):
    """A thread that takes jobs from the queue of the pool.

    Attributes:
        workers: all workers of the pool.
        started: the interface of its instance, or the reason why there is none.
        job: the job that it runs.
    """

    def __init__(self, workers: Workers, number: int) -> None:
        self.workers, self.number = workers, number
        self.started: Future[Interface] = Future()
        self.job: Job | None = None
        self.thread = Thread(target=self._main, name=f"{workers.name}-{number}", daemon=True)

    def _main(self) -> None:
        try:
            self.work()
        except BaseException as error:  # a bug of ours: callers must not wait for ever
            job = self.job
            if job is not None:
                job.fail(PoolError(f"worker {self.number} failed: {type(error).__name__}: {error}"))
            self.workers.lose(self, error)
        finally:
            if not self.started.done():
                self.started.set_exception(PoolClosedError("the pool is closed"))
            self.workers.left(self)

    def _settle(self, job: Job, reply: Reply, deadline: float | None) -> bool:
        """Hand the reply over; False when the job was settled already.

        Results that come after `deadline` are too late, even when a busy machine let nobody notice it passing.
        """
        if deadline is None or reply.errors or monotonic() <= deadline:
            return job.finish(reply)
        return job.fail(CallTimeoutError(f"{job} ran longer than {job.request.options['timeout']:g} s"))

    @abstractmethod
    def work(self) -> None:
        """Load an instance, then run jobs until there are none."""

    @abstractmethod
    def stop(self, reason: Callable[[Job], Any]) -> None:
        """End at once, as far as possible; `reason` makes the error of the job it runs. From any thread."""

"""Worker threads of this process: each owns an instance and runs calls in parallel with the others.

Guest code runs without the interpreter lock, Python code (generated glue, host functions) with it. A thread can't be
stopped: when a call runs out of time and Wasmtime does not stop it, the watchdog fails the call, gives the thread up
and starts another one. The old thread ends when its call does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Event, Lock, Thread

from marine_runtime.errors import CallTimeoutError
from marine_runtime.lazy.typing import Any
from marine_runtime.pool.errors import PoolError
from marine_runtime.pool.instance import PoolInstance
from marine_runtime.pool.job import Job, Reason
from marine_runtime.pool.worker import GRACE, RETRIES, Worker, Workers
from marine_runtime.texts.messages import no_thread
from marine_runtime.wasm.native import monotonic

MAX_ABANDONED = 32
"""Threads that may hang at a time. Each keeps its instance: memories, and gigabytes of address space."""

_LONGEST_WAIT = 3600.0


class ThreadWorker(Worker):
    """A thread with its own instance."""

    def __init__(self, workers: Workers, number: int, watchdog: CallWatchdog, *, first: bool = True) -> None:
        super().__init__(workers, number)
        self._pauses = (0.0,) if first else RETRIES
        self._watchdog = watchdog
        self._wake = Event()
        self._instance: PoolInstance | None = None
        self._ending = Lock()  # held while the job may still be interrupted

    def work(self) -> None:
        """See `Worker`."""
        instance = self._load(lambda: PoolInstance(self.workers.setup), self._pauses)
        if instance is None:
            return
        self._instance = instance
        self.started.set_result(instance.interface)
        try:
            while not self.abandoned and (job := self.workers.jobs.take()) is not None:
                if job.begin() and not self._run(instance, job):
                    return
        finally:
            instance.close()

    def _run(self, instance: PoolInstance, job: Job) -> bool:
        """Run a job; False when the worker has to end."""
        self.running = (job,)
        limit = job.request.options.get("timeout")
        deadline = None if limit is None else monotonic() + limit + GRACE
        if deadline is not None:
            try:
                self._watchdog.arm(self, job, deadline)
            except RuntimeError as error:
                self._watchdog.disarm(self)
                self.running = ()
                job.fail(PoolError(f"{job} can't have a time limit: {no_thread(error)}"))
                return True
        reply = instance.run(job.request)
        if deadline is not None:
            self._watchdog.disarm(self)
        with self._ending:
            self.running = ()
        settled = self._settle(job, reply)
        del job
        if not settled:
            return False  # it was given up: another worker is there already
        if not reply.poisoned or self.workers.closing:
            return True
        self.workers.count("replaced")
        return self._load(instance.replace, RETRIES) is not None

    def interrupt(self, future: Future[Any]) -> bool:
        """See `Worker`."""
        with self._ending:
            if self._instance is None or not any(job.future is future for job in self.running):
                return False
            self._instance.interrupt()
        return True

    def _load(self, make: Callable[[], PoolInstance], pauses: tuple[float, ...]) -> PoolInstance | None:
        """An instance, after some attempts; None when all failed, which is then counted."""
        problem: BaseException = PoolError("the pool is closed")
        for pause in pauses:
            if self._wake.wait(pause) or self.workers.closing:
                break
            try:
                return make()
            except BaseException as error:
                problem = error
        if not self.started.done():
            self.started.set_exception(problem)
        self.workers.lose(self, problem)
        return None

    def abandon(self, job: Job) -> None:
        """Give the thread up, because `job` ran out of time."""
        limit = job.request.options.get("timeout")
        if not job.fail(CallTimeoutError(f"{job} ran longer than {limit:g} s; its worker thread was given up")):
            return  # it ended after all
        self.abandoned = True
        self.workers.count("abandoned")
        with self.workers.lock:
            hanging = sum(item.abandoned for item in self.workers.members)
        if self.workers.closing:
            return
        if hanging > MAX_ABANDONED:
            self.workers.lose(self, PoolError(f"{hanging} worker threads hang in calls that do not end"))
            return
        try:
            self.workers.enlist(lambda: ThreadWorker(self.workers, self.number, self._watchdog, first=False))
        except PoolError as error:
            self.workers.lose(self, error)
            return
        self.workers.retire(self)

    def stop(self, reason: Reason) -> None:
        """See `Worker`."""
        self.abandoned = True
        self._wake.set()
        for job in self.running:
            job.fail(reason(job))


class CallWatchdog:
    """One thread that enforces the time limits of all workers; started with the first limit."""

    def __init__(self) -> None:
        self._lock = Lock()  # entered directly, as a condition's own methods are Python
        self._condition = Condition(self._lock)
        self._armed: dict[ThreadWorker, tuple[float, Job]] = {}
        self._next = float("inf")
        self._thread: Thread | None = None
        self._stopped = False

    def arm(self, worker: ThreadWorker, job: Job, deadline: float) -> None:
        """Watch the job that `worker` runs."""
        with self._lock:
            self._armed[worker] = deadline, job
            if self._thread is None and not self._stopped:
                thread = Thread(target=self._watch, name="marine-pool-watchdog", daemon=True)
                thread.start()
                self._thread = thread
            elif deadline < self._next:
                self._condition.notify()

    def disarm(self, worker: ThreadWorker) -> None:
        """Stop watching the job of `worker`."""
        with self._lock:
            self._armed.pop(worker, None)

    def stop(self) -> None:
        """End the thread."""
        with self._lock:
            self._stopped = True
            self._armed.clear()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(5)

    def _watch(self) -> None:
        while True:
            with self._lock:
                if self._stopped:
                    return
                now = monotonic()
                late = [(worker, job) for worker, (deadline, job) in self._armed.items() if deadline <= now]
                for worker, _ in late:
                    del self._armed[worker]
                if not late:
                    self._next = min((deadline for deadline, _ in self._armed.values()), default=float("inf"))
                    self._condition.wait(min(self._next - now, _LONGEST_WAIT))
                    continue
            for worker, job in late:
                worker.abandon(job)

"""Workers that are processes: a thread here for each of them, which sends requests and waits for replies.

Processes are spawned, never forked: threads, locks and Wasm engines of the parent do not survive a fork. A process
that runs out of time is killed, one that dies fails the call it was running, and both are replaced. The end of a
process is seen as the end of its pipe.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Event, Lock
from time import monotonic
from typing import Any

from marine_runtime.errors import CallTimeoutError
from marine_runtime.pool.child import serve
from marine_runtime.pool.errors import PoolClosedError, PoolError, WorkerDiedError
from marine_runtime.pool.queue import Job
from marine_runtime.pool.wire import pack_request, unpack_error, unpack_reply
from marine_runtime.pool.worker import GRACE, RETRIES, Worker, Workers
from marine_runtime.service.interface import Interface

_JOIN = 5.0
_SENDS = 3

# `multiprocessing` looks after the children of all threads whenever one of them starts another.
_family = Lock()


class ProcessWorker(Worker):
    """A process with an instance of its own, and the thread that talks to it."""

    def __init__(self, workers: Workers, number: int) -> None:
        super().__init__(workers, number)
        self._wake = Event()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        process = self._process
        return process.pid if process else None

    def work(self) -> None:
        """See `Worker`."""
        try:
            if not self._start((0.0,)):
                return
            while (job := self.workers.jobs.take()) is not None:
                self.job = job
                if job.begin() and not self._run(job):
                    return
                self.job = None
                del job  # it keeps arguments and result alive
        finally:
            self._end()

    def _run(self, job: Job) -> bool:
        """Run a job; False when the worker has to end."""
        problem, poisoned = self._exchange(job)
        if problem is None:
            if not poisoned or self.workers.closing:
                return True
            self.workers.count("replaced")
            if self._await_ready() is not None:
                return True
        else:
            job.fail(problem)
        return self._restart()

    def _exchange(self, job: Job) -> tuple[BaseException | None, bool]:
        """Send a request and settle the job with the reply: what went wrong with the process, and `poisoned`."""
        data = pack_request(job.request)
        for _ in range(_SENDS):
            if self._sent(data):
                break
            # It died before it could have begun the call, so another process may run it.
            if not self._restart(lose=False):
                return self._died(job), False
        try:
            connection = self._open()
            limit = job.request.options.get("timeout")
            deadline = None if limit is None else monotonic() + limit + GRACE
            if limit is not None and not connection.poll(limit + GRACE):
                return CallTimeoutError(f"{job} ran longer than {limit:g} s; its worker process was killed"), False
            answer = connection.recv_bytes()
        except (EOFError, OSError):
            return self._died(job), False
        try:
            reply = unpack_reply(answer)
        except Exception as error:
            return PoolError(f"the reply of {job} can't be read ({type(error).__name__}: {error})"), False
        self._settle(job, reply, deadline)
        return None, reply.poisoned

    def _sent(self, data: bytes) -> bool:
        try:
            self._open().send_bytes(data)
        except OSError:
            return False
        return True

    def _open(self) -> Connection:
        if self._connection is None:
            raise EOFError
        return self._connection

    def _died(self, job: Job | None) -> BaseException:
        """The error that says how the process ended."""
        if self.workers.closing:
            return PoolClosedError("the pool was closed before the call ended")
        process = self._process
        code = None
        if process is not None:
            with _family, suppress(ValueError):
                process.join(_JOIN)
                code = process.exitcode
        if code is None:
            how = "ended"
        else:
            how = f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"
        when = f"while it ran {job}" if job else "while it was started (a script needs `if __name__ == '__main__':`)"
        return WorkerDiedError(f"worker process {self.pid} {how} {when}")

    def _restart(self, *, lose: bool = True) -> bool:
        """Another process in place of this one."""
        if self.workers.closing:
            return False
        self.workers.count("restarted")
        return self._start(RETRIES, lose=lose)

    def _start(self, pauses: tuple[float, ...], *, lose: bool = True) -> bool:
        """Start a process, after some attempts; False when all failed, which is then counted."""
        problem: BaseException = PoolClosedError("the pool is closed")
        for pause in pauses:
            self._end()
            if self._wake.wait(pause) or self.workers.closing:
                break
            try:
                self._spawn()
                interface = self._await_ready()
            except BaseException as error:
                problem = error
                continue
            if isinstance(interface, Interface):
                if not self.started.done():
                    self.started.set_result(interface)
                return True
            problem = self._problem
        if not self.started.done():
            self.started.set_exception(problem)
        if lose:
            self.workers.lose(self, problem)
        return False

    def _spawn(self) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        try:
            process = context.Process(target=serve, args=(theirs,), name=self.thread.name, daemon=True)
            with _family:
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._process, self._connection = process, ours
        if self.workers.closing:  # `stop` may have come too early to see the process
            process.kill()
        with suppress(OSError):
            ours.send_bytes(self.workers.payload)

    def _await_ready(self) -> Interface | None:
        """Wait for the process to have an instance; None when it has none, and `_problem` says why."""
        limit = self.workers.start_timeout
        try:
            connection = self._open()
            if not connection.poll(limit):
                self._problem: BaseException = PoolError(f"an instance was not loaded within {limit:g} s")
                return None
            what, content = pickle.loads(connection.recv_bytes())  # noqa: S301  # from our own child
        except (EOFError, OSError):
            self._problem = self._died(None)
            return None
        if what == "ready":
            interface: Interface = content
            return interface
        self._problem = unpack_error(content)
        return None

    def _end(self) -> None:
        """End the process and free what belongs to it. An idle process ends by itself when its pipe closes."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is None:
            return
        if self.job is not None:  # it runs a call that nobody waits for
            process.kill()
        deadline = monotonic() + _JOIN
        process.join(1)
        with _family:
            if process.is_alive():
                process.kill()
            process.join(max(0.1, deadline - monotonic()))
            with suppress(ValueError):  # it is alive still, in an uninterruptible system call
                process.close()

    def stop(self, reason: Callable[[Job], Any]) -> None:
        """See `Worker`."""
        self._wake.set()
        job, process = self.job, self._process
        if job is not None:
            job.fail(reason(job))
        if process is not None:
            with suppress(ValueError, OSError):
                process.kill()

"""Workers that are processes: a thread here for each of them, which sends requests and waits for replies.

Processes are spawned, never forked: threads, locks and Wasm engines of the parent do not survive a fork. A process
that runs out of time is killed, one that dies fails the call it was running, and both are replaced. The end of a
process is seen as the end of its pipe.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Event, Lock
from time import monotonic

from marine_runtime.errors import CallTimeoutError
from marine_runtime.pool.child import serve
from marine_runtime.pool.errors import PoolClosedError, PoolError, WorkerDiedError
from marine_runtime.pool.job import Job, Reason
from marine_runtime.pool.message import HELD, Message, Pace
from marine_runtime.pool.progress import Progress
from marine_runtime.pool.wire import pack_message, unpack_answer, unpack_error
from marine_runtime.pool.worker import GRACE, RETRIES, Worker, Workers, closed_too_early
from marine_runtime.service.interface import Interface

TARGET = 0.008
"""Seconds of calls in a message. What a message costs beyond them is a twentieth of that."""

_JOIN = 5.0

# `multiprocessing` looks after the children of all threads whenever one of them starts another.
_family = Lock()


class ProcessWorker(Worker):
    """A process with an instance of its own, and the thread that talks to it."""

    killable = True

    def __init__(self, workers: Workers, number: int) -> None:
        super().__init__(workers, number)
        self._wake = Event()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._questions: Connection | None = None
        self._progress: Progress | None = None
        self._pace = Pace(TARGET)
        self._sent = 0

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        process = self._process
        return process.pid if process else None

    def work(self) -> None:
        """See `Worker`."""
        jobs = self.workers.jobs
        try:
            if not self._start((0.0,)):
                return
            while (job := jobs.take()) is not None:
                size = self._pace.size(job)
                more = jobs.take_more(job, size, self.workers.active) if size > 1 else []
                self.running = (job, *more)
                del job, more  # they keep arguments and results alive
                if not self._run():
                    return
                self.running = ()
        finally:
            self._end()

    def _run(self) -> bool:
        """Run the jobs that were taken; False when the worker has to end."""
        progress = self._progress
        if progress is None:
            return self._restart()
        progress.reset()
        self._sent += 1
        message = Message(self._sent, self.running, progress)
        if not message.jobs:
            return True
        self.running = message.jobs
        start = monotonic()
        try:
            poisoned = self._exchange(message, progress, start)
        except _BrokenError as broken:
            self._kill()
            progress.end()
            message.break_off(self.workers.jobs, broken.reason)
            self.running = ()
            return self._restart()
        self._pace.took(message.jobs[0], message.answered, monotonic() - start)
        message.end(self.workers.jobs)
        if not poisoned or self.workers.closing:
            return True
        self.running = ()
        self.workers.count("replaced")
        return self._await_ready() is not None or self._restart()

    def _exchange(self, message: Message, progress: Progress, start: float) -> bool:
        """Send a message and settle its jobs with the answers; True when the instance is poisoned.

        Raises:
            _BrokenError: the process can't be used any more.
        """
        limit, held = message.timeout, len(message.jobs) > 1
        try:
            connection = self._open()
            connection.send_bytes(pack_message(message.number, message.jobs))
            while True:
                wait = self._wait(progress, start, limit)
                if held and (wait is None or wait > HELD):
                    wait = HELD
                if wait is not None and not connection.poll(max(0.0, wait)):
                    if held:
                        held = False
                        message.give_back(self.workers.jobs)
                        self._ask(message)
                    elif limit is not None and (self._wait(progress, start, limit) or 0.0) <= 0:
                        raise _BrokenError(_out_of_time)
                    continue
                data = connection.recv_bytes()
                try:
                    answer = unpack_answer(data)
                except Exception as error:
                    raise _BrokenError(partial(_unreadable, error)) from None
                message.settle(answer.replies, self._settle)
                if answer.last:
                    return answer.poisoned
        except (EOFError, OSError):
            raise _BrokenError(self._died()) from None

    def _wait(self, progress: Progress, start: float, limit: float | None) -> float | None:
        """Seconds until the call that runs is out of time; None without a limit."""
        return None if limit is None else (progress.time() or start) + limit + GRACE - monotonic()

    def _ask(self, message: Message) -> None:
        """Ask for the outcomes so far: the call that runs may take long, or kill the process."""
        if message.left and self._questions is not None:
            self._questions.send_bytes(pickle.dumps(message.number))

    def _open(self) -> Connection:
        if self._connection is None:
            raise EOFError
        return self._connection

    def _died(self) -> Callable[[Job | None], BaseException]:
        """The error that says how the process ended, for each job."""
        if self.workers.closing:
            return closed_too_early
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
        number = process.pid if process else None

        def error(job: Job | None) -> BaseException:
            when = (
                f"while it ran {job}" if job else "while it was started (a script needs `if __name__ == '__main__':`)"
            )
            return WorkerDiedError(f"worker process {number} {how} {when}")

        return error

    def _restart(self) -> bool:
        """Another process in place of this one."""
        if self.workers.closing:
            return False
        self.workers.count("restarted")
        return self._start(RETRIES)

    def _start(self, pauses: tuple[float, ...]) -> bool:
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
        self.workers.lose(self, problem)
        return False

    def _spawn(self) -> None:
        context = get_context("spawn")
        progress = Progress(context)
        ours, theirs = context.Pipe()
        receiver, sender = context.Pipe(duplex=False)
        try:
            process = context.Process(
                target=serve, args=(theirs, receiver, progress), name=self.thread.name, daemon=True
            )
            with _family:
                process.start()
        except BaseException:
            ours.close()
            sender.close()
            raise
        finally:
            theirs.close()
            receiver.close()
        self._process, self._connection, self._questions, self._progress = process, ours, sender, progress
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
            self._problem = self._died()(None)
            return None
        if what == "ready":
            interface: Interface = content
            return interface
        self._problem = unpack_error(content)
        return None

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            with suppress(ValueError, OSError):
                process.kill()

    def _end(self) -> None:
        """End the process and free what belongs to it. An idle process ends by itself when its pipe closes."""
        process, pipes = self._process, (self._connection, self._questions)
        self._process = self._connection = self._questions = self._progress = None
        for pipe in pipes:
            if pipe is not None:
                pipe.close()
        if process is None:
            return
        if self.running:  # calls that nobody waits for
            process.kill()
        deadline = monotonic() + _JOIN
        process.join(1)
        with _family:
            if process.is_alive():
                process.kill()
            process.join(max(0.1, deadline - monotonic()))
            with suppress(ValueError):  # it is alive still, in an uninterruptible system call
                process.close()

    def stop(self, reason: Reason) -> None:
        """See `Worker`."""
        self._wake.set()
        for job in self.running:
            job.fail(reason(job))
        self._kill()


class _BrokenError(Exception):
    """The process can't be used any more.

    Attributes:
        reason: the error of each call that it had begun.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self.reason = reason


def _out_of_time(job: Job) -> BaseException:
    limit = job.request.options.get("timeout")
    return CallTimeoutError(f"{job} ran longer than {limit:g} s; its worker process was killed")


def _unreadable(problem: Exception, job: Job) -> BaseException:
    return PoolError(f"the reply of {job} can't be read ({type(problem).__name__}: {problem})")

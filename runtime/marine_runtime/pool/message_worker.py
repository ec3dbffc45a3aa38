"""Workers that run messages elsewhere: a thread here for each, which sends messages and settles their jobs.

What a kind of worker adds is how an instance is started and ended, and how messages and answers travel.
"""

from __future__ import annotations

from abc import abstractmethod
from threading import Event

from marine_runtime.errors import CallTimeoutError
from marine_runtime.lazy.typing import ClassVar
from marine_runtime.pool.errors import PoolClosedError, WorkerDiedError
from marine_runtime.pool.job import Job, Reason
from marine_runtime.pool.message import BegunCalls, Message, Pace
from marine_runtime.pool.wire import Answer
from marine_runtime.pool.worker import GRACE, RETRIES, Worker, Workers
from marine_runtime.service.interface import Interface
from marine_runtime.wasm.native import monotonic


class BrokenError(Exception):
    """The instance of a worker can't be used any more.

    Attributes:
        reason: the error of each call that it has begun, or may have begun.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self.reason = reason


class MessageWorker(Worker):
    """A thread that sends messages to an instance and replaces it when it is gone.

    Attributes:
        target: seconds of calls in a message.
        held: seconds after which a message returns the calls that have not begun.
        first: seconds to wait before each attempt to start the first instance.
        retries: the same for those that follow it. What loading raises is not tried again as often.
    """

    killable = True
    target: ClassVar[float]
    held: ClassVar[float]
    first: ClassVar[tuple[float, ...]] = (0.0,)
    retries: ClassVar[tuple[float, ...]] = RETRIES

    def __init__(self, workers: Workers, number: int) -> None:
        super().__init__(workers, number)
        self._wake = Event()
        self._pace = Pace(self.target)
        self._sent = 0

    def work(self) -> None:
        """See `Worker`."""
        jobs = self.workers.jobs
        try:
            if not self._start(self.first):
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
        self._sent += 1
        message = Message(self._sent, self.running, self._calls())
        if not message.jobs:
            return True
        self.running = message.jobs
        start = monotonic()
        try:
            poisoned = self._exchange(message, start)
        except BrokenError as broken:
            self._kill()
            self._release()
            message.break_off(self.workers.jobs, broken.reason)
            self.running = ()
            return self._restart()
        self._pace.took(message.jobs[0], message.answered, monotonic() - start)
        message.end(self.workers.jobs)
        if not poisoned or self.workers.closing:
            return True
        self.running = ()
        self.workers.count("replaced")
        return self._replace() or self._restart()

    def _exchange(self, message: Message, start: float) -> bool:
        """Send a message and settle its jobs with the answers; True when the instance is poisoned.

        Raises:
            BrokenError: the instance can't be used any more.
        """
        limit, held = message.timeout, len(message.jobs) > 1
        self._send(message)
        while True:
            wait = None if limit is None else max(0.0, self._age_limit(start, limit) - monotonic())
            if held and (wait is None or wait > self.held):
                wait = self.held
            answer = self._receive(message, wait)
            if answer is not None:
                message.settle(answer.replies, self._settle)
                if answer.last:
                    return answer.poisoned
            elif held:
                held = False
                self._hold(message)
            elif limit is not None and self._late(message, start, limit):
                raise BrokenError(self._out_of_time)

    def _age_limit(self, start: float, limit: float) -> float:
        """The time when the call that runs is out of time, as far as it is known."""
        return (self._begun_at() or start) + limit + GRACE

    def _late(self, message: Message, start: float, limit: float) -> bool:
        """True if the call that runs is out of time."""
        return self._age_limit(start, limit) <= monotonic()

    def _out_of_time(self, job: Job) -> BaseException:
        limit = job.request.options.get("timeout")
        return CallTimeoutError(f"{job} ran longer than {limit:g} s; its worker process was killed")

    def _restart(self) -> bool:
        """Another instance in place of the one that is gone; False when there is none."""
        if self.workers.closing:
            return False
        self.workers.count("restarted")
        return self._start(self.retries)

    def _start(self, pauses: tuple[float, ...]) -> bool:
        """Start an instance, after some attempts; False when all failed, which is then counted."""
        problem: BaseException = PoolClosedError("the pool is closed")
        loads = len(RETRIES) if self.started.done() else 1
        for attempt, pause in enumerate(pauses):
            self._end()
            if self._wake.wait(pause) or self.workers.closing:
                break
            try:
                interface = self._open()
            except BaseException as error:
                problem = error
                if attempt + 1 >= loads and not isinstance(error, WorkerDiedError):
                    break
                continue
            if not self.started.done():
                self.started.set_result(interface)
            return True
        if not self.started.done():
            self.started.set_exception(problem)
        self.workers.lose(self, problem)
        return False

    def stop(self, reason: Reason) -> None:
        """See `Worker`."""
        self._wake.set()
        for job in self.running:
            job.fail(reason(job))
        self._kill()

    @abstractmethod
    def _open(self) -> Interface:
        """Start an instance; raises whatever starting and loading raise."""

    @abstractmethod
    def _calls(self) -> BegunCalls:
        """A record of the calls of the next message."""

    @abstractmethod
    def _send(self, message: Message) -> None:
        """Send a message.

        Raises:
            BrokenError: the instance is gone.
        """

    @abstractmethod
    def _receive(self, message: Message, wait: float | None) -> Answer | None:
        """The next answer; None when there is none for `wait` seconds.

        Raises:
            BrokenError: the instance is gone.
        """

    @abstractmethod
    def _hold(self, message: Message) -> None:
        """Let no further call of a message begin, and ask for the outcomes so far.

        Raises:
            BrokenError: the instance is gone.
        """

    @abstractmethod
    def _begun_at(self) -> float | None:
        """The time at which the call that runs began, by the monotonic clock; None when it is not known."""

    @abstractmethod
    def _replace(self) -> bool:
        """Wait until a poisoned instance was replaced; False when it could not be."""

    @abstractmethod
    def _release(self) -> None:
        """Note that the instance is gone: what it has not begun never will."""

    @abstractmethod
    def _kill(self) -> None:
        """End the instance at once. From any thread."""

    @abstractmethod
    def _end(self) -> None:
        """End the instance, if there is one, and free what belongs to it."""

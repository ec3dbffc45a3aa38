"""Messages: jobs that wait for the same function travel together, as a message costs more than a short call.

A message gets more calls while they are short, and returns those that have not begun when it takes long, so that no
call waits behind a slow one while another worker is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marine_runtime.lazy.typing import Protocol
from marine_runtime.pool.errors import PoolError, WorkerDiedError
from marine_runtime.pool.job import Job, Reason, Reply
from marine_runtime.pool.queue import Jobs
from marine_runtime.pool.worker import closed_too_early

MOST = 64
"""Calls that a message may have."""

LOSSES = 3
"""Workers that may die after they were given a job and before they began it; the job fails with the last one."""


class BegunCalls(Protocol):
    """The calls of the current message that have begun, by position."""

    def withdraw(self, position: int) -> bool:
        """Take a call back; False when it has begun or was taken back already. From any thread."""

    def begun(self, position: int) -> bool | None:
        """True if a call has begun; None when that is not known."""


class _Sent:
    """See `marine_runtime.pool.job.SentCall`."""

    __slots__ = ("_position", "_record")

    def __init__(self, record: BegunCalls, position: int) -> None:
        self._record, self._position = record, position

    def withdraw(self) -> bool:
        return self._record.withdraw(self._position)

    def begun(self) -> bool | None:
        return self._record.begun(self._position)


class Message:
    """Jobs that were given to a worker together.

    Attributes:
        number: counts the messages of a worker.
        jobs: those that were not cancelled.
        left: those that are not settled, by position.
        answered: the number of jobs that the worker has run.
    """

    def __init__(self, number: int, jobs: Sequence[Job], record: BegunCalls) -> None:
        self.number, self._record = number, record
        self.jobs: list[Job] = []
        for job in jobs:
            if job.send(_Sent(record, len(self.jobs))):
                self.jobs.append(job)
        self.left = dict(enumerate(self.jobs))
        self.answered = 0

    @property
    def timeout(self) -> float | None:
        """Seconds that each of its calls may run."""
        return self.jobs[0].request.options.get("timeout")

    def settle(self, replies: Sequence[tuple[int, Reply]], settle: Callable[[Job, Reply], object]) -> None:
        """Hand out the outcomes of some jobs."""
        for position, reply in replies:
            if (job := self.left.pop(position, None)) is not None:
                self.answered += 1
                settle(job, reply)

    def give_back(self, jobs: Jobs) -> None:
        """Return the jobs that have not begun to the queue, which another worker may take next."""
        taken = self._take_back()
        if taken and not jobs.put_back(taken):
            for job in taken:
                job.fail(closed_too_early(job))

    def end(self, jobs: Jobs) -> None:
        """Return the jobs that the worker has left, after its last answer."""
        self.give_back(jobs)
        for job in self.left.values():  # those that were cancelled, and know it
            job.fail(PoolError(f"the worker did not answer {job}"))

    def break_off(self, jobs: Jobs, reason: Reason) -> None:
        """Fail the jobs that have begun, or may have, and return the others: their worker runs nothing any more."""
        taken = self._take_back()
        for job in list(taken):
            job.losses += 1
            if job.losses >= LOSSES:
                taken.remove(job)
                job.fail(_told(reason(job), begun=False))
        for position, job in self.left.items():
            job.fail(_told(reason(job), begun=self._record.begun(position)))
        self.left.clear()
        if taken and not jobs.put_back(taken):
            for job in taken:
                job.fail(_told(reason(job), begun=False))

    def _take_back(self) -> list[Job]:
        taken = {position: job for position, job in self.left.items() if job.future.take_back()}
        for position in taken:
            del self.left[position]
        return list(taken.values())


def _told(error: BaseException, *, begun: bool | None) -> BaseException:
    if isinstance(error, WorkerDiedError):
        error.begun = begun
    return error


class Pace:
    """The number of calls of a function that go into one message: as many as take a few milliseconds.

    Args:
        target: seconds that a message should take.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self._sizes: dict[tuple[str, str], int] = {}

    def size(self, job: Job) -> int:
        """The number of calls for a message that begins with `job`."""
        return 1 if job.many else self._sizes.get((job.request.module, job.request.function), 1)

    def took(self, job: Job, calls: int, seconds: float) -> None:
        """Note that a message that began with `job` made `calls` in `seconds`."""
        if job.many:
            return
        key = job.request.module, job.request.function
        size = self._sizes.get(key, 1)
        if seconds > self._target:
            self._sizes[key] = max(1, min(size, int(calls * self._target / seconds)))
        elif calls >= size and 2 * seconds <= self._target:
            self._sizes[key] = min(MOST, 2 * size)

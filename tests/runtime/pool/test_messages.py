"""Calls that wait for one function travel together: each begins at most once, and shares nothing but the message."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

from marine_runtime.pool import CallTimeoutError, PoolClosedError, PoolError, ServicePool, WorkerDiedError
from marine_runtime.pool.job import Job, Reply, Request
from marine_runtime.pool.message import LOSSES, MOST, Message, Pace
from marine_runtime.pool.queue import Jobs
from marine_runtime.pool.wire import Answer, pack_answer, unpack_answer
from tests.support.pools import ANY_ENGINE, GATE, KINDS, LOG, LONG, SHORT, pool, until
from tests.support.samples import sampled

NONE = type(None)


class Lab:
    """A pool of processes whose calls travel together from the first message on.

    Attributes:
        gate: the file that `hold` waits for.
    """

    def __init__(self, made: ServicePool, folder: Path) -> None:
        self.made, self.gate, self._log = made, folder / "gate", folder / "log"
        for worker in made._workers.members:
            for name in ("hold", "die", "nap"):
                worker._pace._sizes["lab", name] = MOST

    def together(self, name: str, numbers: list[int], **options: Any) -> list[Future[Any]]:
        """Calls that wait while all workers sleep."""
        naps = [self.made.submit("lab", "nap", [500], timeout=LONG + index) for index in range(self.made._count)]
        until(lambda: all(item.running() for item in naps))
        return [self.made.submit("lab", name, [number], **options) for number in numbers]

    def begun(self) -> list[int]:
        """The arguments of `hold` and `die` in the order of their calls."""
        return [int(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A lab with one worker."""
    yield from labs(tmp_path, monkeypatch, 1)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A lab with two workers."""
    yield from labs(tmp_path, monkeypatch, 2)


def labs(folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> Any:
    """A lab."""
    monkeypatch.setenv(GATE, str(folder / "gate"))
    monkeypatch.setenv(LOG, str(folder / "log"))
    with pool(ANY_ENGINE, "processes", workers=workers) as made:
        yield Lab(made, folder)
        (folder / "gate").touch()


def test_waiting_calls_are_few_messages() -> None:
    with pool(ANY_ENGINE, "processes") as made:
        futures = [made.submit("lab", "echo", [number]) for number in range(800)]
        assert [item.result(LONG) for item in futures] == list(range(800))
        assert made._workers.members[0]._sent <= 400  # about 25 on an idle machine


def test_a_process_that_dies_fails_only_what_had_begun(one: Lab) -> None:
    numbers = [7, 8, 0, *range(10, 40)]
    futures = one.together("die", numbers)
    errors = [item.exception(LONG) for item in futures]
    assert type(errors[2]) is WorkerDiedError
    assert {type(item) for item in errors[:2]} <= {NONE, WorkerDiedError}  # their outcome may have got lost
    assert [item.result() for item in futures[3:]] == numbers[3:]
    assert one.begun() == numbers, "each begun once, in order"
    assert one.made.statistics.restarted == 1


def test_what_follows_a_poisoned_instance_runs_on_the_next_one(one: Lab) -> None:
    numbers = [7, 1, 8, 1, 9]
    futures = one.together("die", numbers)
    assert [type(item.exception(LONG)) for item in futures] == [
        NONE,
        ValueError,
        NONE,
        ValueError,
        NONE,
    ]
    assert one.begun() == numbers
    assert one.made.statistics.replaced == 2


def test_no_call_waits_behind_a_slow_one(two: Lab) -> None:
    futures = two.together("hold", [0, *range(1, 20)])
    assert [item.result(LONG) for item in futures[1:]] == list(range(1, 20))
    assert not futures[0].done()
    two.gate.touch()
    assert futures[0].result(LONG) == 0


def test_results_before_a_slow_call_come_early_and_calls_after_it_can_be_cancelled(one: Lab) -> None:
    futures = one.together("hold", [1, 0, 2, 3, 4])
    assert futures[0].result(LONG) == 1
    until(futures[1].running)
    assert not futures[1].cancel()
    assert futures[2].cancel()
    assert not futures[3].running()
    assert wait([futures[2]], LONG).done
    assert futures[4].cancel()
    one.gate.touch()
    assert [futures[1].result(LONG), futures[3].result(LONG)] == [0, 3]
    assert one.begun() == [1, 0, 3]


def test_a_call_can_be_cancelled_while_its_message_is_under_way(one: Lab) -> None:
    futures = one.together("hold", [0, 2, 3])
    until(futures[0].running)
    assert futures[1].cancel()
    assert futures[1].cancel()
    one.gate.touch()
    assert [futures[0].result(LONG), futures[2].result(LONG)] == [0, 3]
    assert one.begun() == [0, 3]


def test_each_call_of_a_message_has_its_own_limit(one: Lab) -> None:
    futures = one.together("nap", [1, 1500, 2], timeout=SHORT)
    assert [type(item.exception(LONG)) for item in futures] == [NONE, CallTimeoutError, NONE]
    futures = one.together("nap", [50] * 20, timeout=0.8)
    assert [item.result(LONG) for item in futures] == [50] * 20, "together they take longer than the limit"


def test_closing_fails_what_is_in_a_message(one: Lab) -> None:
    futures = one.together("hold", [0, 2, 3])
    until(futures[0].running)
    one.made.close(timeout=0)
    assert [type(item.exception(0)) for item in futures] == [PoolClosedError] * 3


def test_a_result_that_cannot_be_written_fails_its_call_alone() -> None:
    replies = [(0, Reply([1], {})), (3, Reply([lambda: 1], {})), (4, Reply([None], {0: ValueError("x")}))]
    found = unpack_answer(pack_answer(Answer(replies, poisoned=True)))
    assert [position for position, _ in found.replies] == [0, 3, 4]
    assert [reply.results for _, reply in found.replies] == [[1], [None], [None]]
    assert [type(reply.errors.get(0)) for _, reply in found.replies] == [NONE, PoolError, ValueError]
    assert (found.poisoned, found.last) == (True, True)


def job(name: str = "f", **options: Any) -> Job:
    """A job of one call."""
    return Job(Request("m", name, [[]], options), None)  # type: ignore[arg-type]


class Begun:
    """The calls of a message, all of which wait but those in `begins`."""

    def __init__(self, *begins: int) -> None:
        self.gone = set(begins)

    def withdraw(self, position: int) -> bool:
        """See `marine_runtime.pool.message.BegunCalls`."""
        free = position not in self.gone
        self.gone.add(position)
        return free

    def begun(self, position: int) -> bool:
        """See `marine_runtime.pool.message.BegunCalls`."""
        return position in self.gone


def test_only_calls_that_share_everything_travel_together() -> None:
    jobs = Jobs(100)
    first, *others = [job(), job(), job(timeout=1.0), job(), job("g")]
    for item in others:
        jobs.put(item, 0)
    assert jobs.take_more(first, MOST, 1) == others[:1]
    assert jobs.take_more(job(timeout=1.0), MOST, 1) == others[1:2]
    assert jobs.take_more(first, MOST, 3) == [], "its share of two calls is none"
    assert jobs.take_more(first, 1, 1) == []
    assert jobs.take_more(Job(first.request, None, many=True), MOST, 1) == []
    assert jobs.take_more(first, 2, 1) == others[2:3]
    assert len(jobs) == 1


def test_jobs_that_come_back_go_first_even_into_a_full_queue() -> None:
    jobs = Jobs(1)
    taken, waiting = [job(), job()], job()
    jobs.put(waiting, 0)
    assert jobs.put_back(taken)
    assert [jobs.take() for _ in range(3)] == [*taken, waiting]
    jobs.close()
    assert jobs.put_back(taken), "what was taken is still run"
    assert jobs.drain() == taken
    assert not jobs.put_back(taken)


def test_a_job_is_not_given_to_workers_for_ever() -> None:
    jobs, unlucky = Jobs(10), job()
    for attempt in range(LOSSES):
        message = Message(attempt, [unlucky], Begun())
        message.break_off(jobs, lambda item: WorkerDiedError(f"no luck with {item}"))
        assert len(jobs) == (attempt < LOSSES - 1)
        jobs.take() if len(jobs) else None
    with pytest.raises(WorkerDiedError, match=r"^no luck with `m\.f`$"):
        unlucky.future.result(0)


def test_a_message_leaves_out_what_was_cancelled() -> None:
    gone, there = job(), job()
    assert gone.future.cancel()
    message = Message(1, [gone, there], Begun())
    assert message.jobs == [there]
    assert there.future.cancel()
    message.end(Jobs(1))
    assert (gone.future.cancelled(), there.future.cancelled()) == (True, True)


def test_the_size_of_messages_follows_the_time_of_calls() -> None:
    pace, item = Pace(0.01), job()
    for size in (1, 2, 4, 8, 16, 32, 64, 64):
        assert pace.size(item) == size
        pace.took(item, size, 0.001)
    pace.took(item, 64, 0.04)
    assert pace.size(item) == 16
    pace.took(item, 3, 0.001)
    assert pace.size(item) == 16, "a message that was not full tells nothing"
    pace.took(item, 1, 5.0)
    assert pace.size(item) == 1
    assert pace.size(job("g")) == 1


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_a_pool_that_is_dropped_warns_and_ends_its_workers(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GATE, str(tmp_path / "gate"))
    made: ServicePool | None = pool(ANY_ENGINE, kind, workers=2, name="let-go")
    assert made
    future = made.submit("lab", "hold", [0])
    until(future.running)
    processes = [worker._process for worker in made._workers.members if kind == "processes"]
    gone = weakref.ref(made)
    made = None
    with pytest.warns(ResourceWarning, match=r"^<ServicePool let-go: 2 \w+, 0 calls wait> was never closed: use it"):
        gc.collect()
    assert gone() is None
    assert type(future.exception(LONG)) is PoolClosedError
    if kind == "threads":  # nobody can stop them
        (tmp_path / "gate").touch()
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("let-go-")])
    for process in processes:
        assert process._popen.returncode is not None  # its worker has waited for its end


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_a_pool_that_was_closed_or_never_began_does_not_warn(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pool(ANY_ENGINE, kind):
            pass
        for source in ("no/such/directory", "x"):
            with pytest.raises(Exception, match=r"manifest\.json"):
                ServicePool(source, workers=1, kind=kind)  # type: ignore[arg-type]
        with pytest.raises(Exception, match="workers"):
            ServicePool("x", workers=0)
        gc.collect()

"""Pools: copies that fail, calls that do not end, processes that die."""

from __future__ import annotations

import errno
import os
import signal
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import pytest

import marine_gen
from marine_runtime import ServiceConfig
from marine_runtime.errors import ArgumentError, MemoryLimitError, TrapError
from marine_runtime.pool import CallTimeoutError, PoolError, ServicePool, WorkerDiedError
from marine_runtime.pool.threads import CallWatchdog
from tests.support.engines import Configuration
from tests.support.greedy import PAGE, greedy
from tests.support.pools import ANY_ENGINE, KINDS, LONG, SHORT, pool, until
from tests.support.samples import sampled

pytestmark = pytest.mark.pool_side


def test_a_cut_off_copy_is_replaced(configuration: Configuration, kind: str) -> None:
    with pool(configuration, kind) as made:
        assert [made.call("lab", "count", [0]) for _ in range(3)] == [1, 2, 3]
        with pytest.raises(ArgumentError):
            made.call("lab", "count", ["x"])
        assert made.call("lab", "count", [0]) == 4
        with pytest.raises(TrapError):
            made.call("lab", "trap", [0])
        assert made.call("lab", "count", [0]) == 1
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # `match` would see its notes too
            made.call("lab", "blow", [0])
        assert str(caught.value) == "blown"
        assert isinstance(caught.value.__cause__, KeyError)
        assert made.call("lab", "count", [0]) == 1
        assert (made.statistics.replaced, made.statistics.restarted) == (2, 0)


@pytest.mark.parametrize("error", [OSError(errno.ENOSYS, "Function not implemented"), ImportError("no sem_open")])
def test_a_system_without_semaphores(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A container whose /dev/shm is full, or missing."""

    def refuse(self: object, *_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    with pytest.raises(PoolError) as caught, pool(ANY_ENGINE, "processes"):
        pass
    assert f"the system refuses them ({error}); make room in /dev/shm" in str(caught.value)


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_a_cut_off_copy_is_kept_on_request(kind: str) -> None:
    with pool(ANY_ENGINE, kind, replace_poisoned=False) as made:
        for _ in range(2):
            with pytest.raises(TrapError):
                made.call("lab", "trap", [0])
        assert made.call("lab", "count", [0]) == 3


def test_a_guest_without_measure_spoils_nothing_for_others(configuration: Configuration, kind: Any) -> None:
    """Whatever a call takes all of, time, memory or stack: it is stopped, and the next one has a fresh copy."""
    config = ServiceConfig(total_memory_limit=20 * PAGE)
    load = partial(
        marine_gen.load,
        {"m": greedy()},
        engine=configuration.engine,
        call_layer=configuration.call_layer,
        config=config,
    )
    with ServicePool(load, workers=1, kind=kind) as made:
        for number, (name, error) in enumerate(
            [("loop", CallTimeoutError), ("fill", MemoryLimitError), ("recurse", TrapError)], start=1
        ):
            with pytest.raises(error):
                made.call("m", name, timeout=SHORT if name == "loop" else None)
            assert made.call("m", "plain", ["x"]) == "x"
            assert made.call("m", "grow", [19]) == 1  # all the memory is there again
            assert made.call("m", "grow", [1]) == 2**32 - 1
            found = made.statistics
            assert found.replaced + found.restarted + found.abandoned == number


def test_a_host_function_that_does_not_end_is_given_up(configuration: Configuration, kind: str) -> None:
    """No engine can stop it. The thread ends when its call does."""
    with pool(configuration, kind, timeout=SHORT, name="given-up") as made:
        with pytest.raises(CallTimeoutError) as caught:
            made.call("lab", "nap", [1500])
        assert isinstance(caught.value, TimeoutError)
        assert str(caught.value).startswith("`lab.nap` ran longer than 0.3 s; its worker ")
        assert made.call("lab", "echo", [5], timeout=LONG) == 5
        given_up = made.statistics.abandoned if kind == "threads" else made.statistics.restarted
        assert given_up == 1
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("given-up-")])


def test_a_result_that_comes_too_late_is_none(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the clock may come too late on a busy machine; the call is late all the same."""
    poll = Connection.poll
    monkeypatch.setattr(CallWatchdog, "arm", lambda *_: None)

    def poll_longer(self: Connection, timeout: float | None = 0.0) -> bool:
        return poll(self, None if timeout is None else timeout + LONG)

    monkeypatch.setattr(Connection, "poll", poll_longer)
    with pool(ANY_ENGINE, kind) as made:
        assert made.call("lab", "count", [0]) == 1
        with pytest.raises(CallTimeoutError, match=r"^`lab\.nap` ran longer than 0\.05 s$"):
            made.call("lab", "nap", [700], timeout=0.05)
        assert made.call("lab", "count", [0]) == 2
        assert (made.statistics.abandoned, made.statistics.restarted) == (0, 0)


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_time_in_the_queue_does_not_count(kind: str) -> None:
    with pool(ANY_ENGINE, kind, timeout=1.5) as made:
        assert [item.result() for item in [made.submit("lab", "nap", [400]) for _ in range(5)]] == [400] * 5


def test_a_process_that_dies_fails_its_call_and_is_replaced(configuration: Configuration) -> None:
    with pool(configuration, "processes") as made:
        future = made.submit("lab", "die", [0])
        behind = made.submit("lab", "echo", [7])
        with pytest.raises(
            WorkerDiedError, match=r"^worker process \d+ was killed by signal 9 while it ran `lab.die`$"
        ):
            future.result(LONG)
        assert behind.result(LONG) == 7
        assert made.statistics.restarted == 1


def test_a_process_that_died_while_idle_costs_no_call() -> None:
    with pool(ANY_ENGINE, "processes") as made:
        worker = made._workers.members[0]
        process = worker._process
        os.kill(worker.pid, signal.SIGKILL)
        process.join(LONG)
        assert made.call("lab", "echo", [7]) == 7
        assert made.statistics.restarted == 1


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [
        (0, ValueError, "blown"),
        (1, PoolError, "tests.support.pools.StubbornError: can't be pickled"),
        (4, ValueError, "with notes of its own"),
        (5, PoolError, "only_there.LocalError: from there"),
        (6, ValueError, "in a circle"),
        (7, PoolError, "tests.support.pools.UnreadableError: (its text can't be read)"),
        pytest.param(2, RuntimeError, "a host function raised StopIteration", marks=pytest.mark.slow),
        pytest.param(3, SystemExit, "leave", marks=pytest.mark.slow),
    ],
)
def test_errors_of_host_functions_cross(number: int, error: type[BaseException], text: str) -> None:
    with pool(ANY_ENGINE, "processes") as made:
        with pytest.raises(error) as caught:
            made.call("lab", "blow", [number])
        assert str(caught.value) == text
        if number in (0, 1, 6, 7):
            assert "in blow" in "".join(caught.value.__notes__)
        assert made.call("lab", "echo", [1]) == 1
        assert made.statistics.restarted == 0

"""Calls of a pool that are interrupted from outside: the one that was meant, and no other."""

from __future__ import annotations

import time

import pytest

from marine_runtime.errors import CallTimeoutError
from marine_runtime.pool import ServicePool
from tests.support.pools import ANY_ENGINE, LONG, pool, until


def interrupt(service: ServicePool, future: object) -> None:
    """Ask until the call is over, as a guest may not have begun."""
    limit = time.monotonic() + LONG
    while not future.done() and time.monotonic() < limit:  # type: ignore[attr-defined]
        service.interrupt(future)  # type: ignore[arg-type]
        time.sleep(0.01)


def test_an_interrupted_call_ends_and_its_copy_is_replaced() -> None:
    with pool(ANY_ENGINE, "threads", timeout=LONG) as service:
        started = time.monotonic()
        future = service.submit("lab", "nap", [200])
        assert future.result() == 200
        future = service.submit("endless", "spin")
        until(future.running)
        interrupt(service, future)
        with pytest.raises(CallTimeoutError):
            future.result()
        assert time.monotonic() - started < LONG / 2
        assert service.call("lab", "echo", [7]) == 7
        assert service.statistics.replaced == 1


def test_other_calls_with_a_time_limit_go_on() -> None:
    with pool(ANY_ENGINE, "threads", workers=2, timeout=2) as service:
        spinning = [service.submit("endless", "spin") for _ in range(2)]
        until(lambda: all(future.running() for future in spinning))
        interrupt(service, spinning[0])
        assert not spinning[1].done()
        with pytest.raises(CallTimeoutError):
            spinning[1].result()


def test_a_call_that_waits_is_dropped() -> None:
    with pool(ANY_ENGINE, "threads", timeout=LONG) as service:
        running, waiting = service.submit("lab", "nap", [300]), service.submit("lab", "count", [1])
        assert service.interrupt(waiting)
        assert waiting.cancelled()
        assert running.result() == 300
        assert service.call("lab", "count", [1]) == 1


def test_a_call_that_is_over_is_left_alone() -> None:
    with pool(ANY_ENGINE, "threads", timeout=LONG) as service:
        future = service.submit("lab", "echo", [1])
        assert future.result() == 1
        assert not service.interrupt(future)
        assert service.call("lab", "echo", [2]) == 2

"""The thread of a clock: another one follows when it could not begin, or ended of an error."""

from __future__ import annotations

import time
from typing import Any

import pytest

from marine_runtime.wasm import deadline as deadlines
from marine_runtime.wasm.deadline import DeadlineClock
from tests.support.pools import until


class Limit:
    timeout: float | None = None
    deadline: float | None = None


class Target:
    def set_epoch_deadline(self, ticks: int) -> None:
        """Nothing is called here."""


def test_a_thread_that_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python reports that it has no memory to enter the thread's function, and goes on."""
    ticks: list[int] = []
    clock = DeadlineClock(lambda: ticks.append(0))
    limit = Limit()
    monkeypatch.setattr(deadlines, "_ENTRY", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(deadlines, "start_own_thread", lambda _: None)
        clock.arm(limit, Target(), 0.01)
        time.sleep(0.02)
        assert not clock.running
    clock.arm(limit, Target(), 0.01)
    until(lambda: len(ticks) > 2)
    clock.disarm(limit, Target())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [MemoryError()]
    ticks: list[int] = []

    def advance() -> None:
        if failures:
            raise failures.pop()
        ticks.append(0)

    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    clock = DeadlineClock(advance)
    limit: Any = Limit()
    clock.arm(limit, Target(), 0.01)
    until(lambda: not clock.running)
    clock.arm(limit, Target(), 0.01)
    until(lambda: len(ticks) > 2)
    clock.disarm(limit, Target())

"""Reports of an actor to a caller that asks while a message runs, before it arrived, and after it has ended."""

from __future__ import annotations

from typing import Any

import pytest

from marine_runtime.pool.job import Reply
from marine_runtime.pool.wire import unpack_answer
from tests.ray.clusters import RAY

FIRST, SECOND = ("caller", 1), ("caller", 2)


@pytest.fixture
def state() -> Any:
    """The state of an actor."""
    if not RAY:
        pytest.skip("needs Ray")
    from marine_runtime.ray.actor import MessageState

    return MessageState()


def positions(data: bytes) -> list[int]:
    """The jobs that an answer has the outcome of."""
    return [position for position, _ in unpack_answer(data).replies]


def test_while_it_runs(state: Any) -> None:
    state.start(FIRST, 3)
    assert state.begin(0)
    state.add(0, Reply([1], {}))
    assert state.begin(1)
    data, left, age = state.stop(FIRST, 3)
    assert (positions(data), left) == ([0], [2])
    assert age is not None
    assert not state.begin(2)
    state.add(1, Reply([2], {}))
    assert positions(state.end(poisoned=False)) == [0, 1], "what was told already is told once more"


def test_before_it_arrives(state: Any) -> None:
    state.start(FIRST, 1)
    assert state.begin(0)
    assert state.stop(SECOND, 2)[1:] == ([0, 1], None)
    state.end(poisoned=False)
    state.start(SECOND, 2)
    assert not state.begin(0)
    assert not state.begin(1)


def test_after_it_has_ended_its_calls_are_not_taken_for_calls_that_never_began(state: Any) -> None:
    state.start(FIRST, 3)
    assert state.begin(0)
    assert state.begin(1)
    state.end(poisoned=True)
    assert state.stop(FIRST, 3)[1:] == ([2], None)
    state.start(SECOND, 1)
    assert state.stop(FIRST, 3)[1:] == ([2], None)


def test_it_forgets(state: Any) -> None:
    for number in range(3_000):
        state.stop(("other", number), 1)
        state.start(("caller", number), 1)
        state.end(poisoned=False)
    assert max(len(state._stopped), len(state._ended)) <= 1024

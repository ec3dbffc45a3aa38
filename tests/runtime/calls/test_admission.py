"""Admission of a call, written twice: as a context manager, and inline as the compiler writes it into entries."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from threading import Thread, get_ident
from typing import Any

import pytest

from marine_runtime import CallError, CallTimeoutError, MemoryLimitError, ServiceState, Site, StateError
from marine_runtime.calls.guard import INLINE_CALL, Guard
from marine_runtime.wasm.budget import Budget

Run = Callable[[], Any]
Admitted = Callable[[Guard, Run], Any]
LIMIT = 10


def by_context(guard: Guard, run: Run) -> Any:
    with guard.call():
        return run()


def inlined() -> Admitted:
    names = {name: name for name in ("guard", "get_ident", "CallError", "error", "located")}
    text = INLINE_CALL.format(body="return run()", **names)
    found: dict[str, Any] = {"get_ident": get_ident, "CallError": CallError}
    exec(f"def inline(guard, run):\n{textwrap.indent(text, '    ')}", found)
    function: Admitted = found["inline"]
    return function


@pytest.fixture(params=[by_context, inlined()], ids=["context", "inline"])
def admitted(request: pytest.FixtureRequest) -> Admitted:
    found: Admitted = request.param
    return found


@pytest.fixture
def budget() -> Budget:
    return Budget(LIMIT)


@pytest.fixture
def guard(budget: Budget) -> Guard:
    return Guard("tested", budget)


def failing(error: BaseException) -> Run:
    def run() -> None:
        raise error

    return run


def test_an_idle_service_is_busy_for_the_call(admitted: Admitted, guard: Guard) -> None:
    assert admitted(guard, lambda: guard.state) is ServiceState.BUSY
    assert guard.state is ServiceState.READY
    assert guard.busy is False


def test_a_busy_service_refuses(admitted: Admitted, guard: Guard) -> None:
    def run() -> None:
        with pytest.raises(StateError, match="is busy"):
            admitted(guard, lambda: None)
        assert guard.busy

    admitted(guard, run)
    assert guard.state is ServiceState.READY


def test_a_closed_service_refuses(admitted: Admitted, guard: Guard) -> None:
    guard.close()
    with pytest.raises(StateError, match="is closed"):
        admitted(guard, lambda: None)
    assert guard.state is ServiceState.CLOSED
    assert guard.busy is True


def test_another_thread_is_refused(admitted: Admitted, guard: Guard) -> None:
    found: list[StateError] = []

    def other() -> None:
        with pytest.raises(StateError) as caught:
            admitted(guard, lambda: None)
        found.append(caught.value)

    thread = Thread(target=other)
    thread.start()
    thread.join()
    assert "belongs to the thread" in str(found[0])
    assert guard.state is ServiceState.READY


@pytest.mark.parametrize(
    "error", [CallError("no"), ValueError("no"), KeyboardInterrupt()], ids=lambda e: type(e).__name__
)
def test_a_call_that_is_broken_off_marks_the_service(admitted: Admitted, guard: Guard, error: BaseException) -> None:
    cause = ValueError("first")
    error.__cause__ = cause
    with pytest.raises(type(error)) as caught:
        admitted(guard, failing(error))
    assert caught.value is error
    assert error.__cause__ is cause
    assert guard.state is ServiceState.FAILED
    assert guard.busy is False
    assert admitted(guard, lambda: 1) == 1


def test_errors_are_placed_once(admitted: Admitted, guard: Guard) -> None:
    outer, inner, site = Guard("outer"), guard, Site("m", "f", "export", 0, "call")
    error = CallError("no", site)
    with pytest.raises(CallError) as caught:
        admitted(outer, lambda: admitted(inner, failing(error)))
    assert caught.value is error
    assert error.site is site
    assert error.placed_up_to is not None


def test_a_refused_growth_is_blamed(admitted: Admitted, guard: Guard, budget: Budget) -> None:
    def run() -> None:
        assert not budget.take(LIMIT + 1)
        assert not budget.take(LIMIT + 1)
        raise CallError("no memory")

    with pytest.raises(MemoryLimitError, match="2 growths") as caught:
        admitted(guard, run)
    assert (caught.value.rejects, caught.value.limit) == (2, LIMIT)
    assert isinstance(caught.value.__cause__, CallError)
    assert guard.busy is False


@pytest.mark.parametrize("error", [CallTimeoutError("late"), ValueError("no")], ids=lambda e: type(e).__name__)
def test_errors_with_a_reason_of_their_own_blame_nothing(
    admitted: Admitted, guard: Guard, budget: Budget, error: Exception
) -> None:
    def run() -> None:
        budget.take(LIMIT + 1)
        raise error

    with pytest.raises(type(error)) as caught:
        admitted(guard, run)
    assert caught.value is error


def test_a_refused_growth_is_forgotten_with_its_call(admitted: Admitted, guard: Guard, budget: Budget) -> None:
    assert admitted(guard, lambda: budget.take(LIMIT + 1)) is False
    budget.take(LIMIT + 1)  # no call is running
    with pytest.raises(CallError) as caught:
        admitted(guard, failing(CallError("no")))
    assert not isinstance(caught.value, MemoryLimitError)


def test_refusals_after_closing_leave_it_closed(guard: Guard, budget: Budget) -> None:
    guard.close()
    budget.take(LIMIT + 1)
    assert guard.busy is True


def test_other_work_excludes_calls_and_passes_errors_on(admitted: Admitted, guard: Guard) -> None:
    error = CallError("no")

    def refused() -> None:
        with pytest.raises(StateError):
            admitted(guard, lambda: None)
        raise error

    with pytest.raises(CallError) as caught, guard.exclusive():
        refused()
    assert caught.value is error
    assert guard.state is ServiceState.READY


def test_may_a_call_begin(guard: Guard) -> None:
    guard.require_idle()
    with guard.call(), pytest.raises(StateError):
        guard.require_idle()
    with guard.call(), pytest.raises(StateError):
        guard.close()
    guard.close()
    with pytest.raises(StateError):
        guard.require_idle()

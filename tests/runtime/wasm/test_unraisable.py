"""The hook for exceptions that the binding's callbacks lose."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import wasmtime

from marine_runtime.wasm.ffi import binding_callback
from marine_runtime.wasm.traps import LEFT_EARLY, Parking
from marine_runtime.wasm.unraisable import KeptReports, cover_binding


class StopError(Exception):
    """Raised by the tests alone."""


def report_from(namespace: dict[str, Any]) -> Any:
    """Report of Python about an exception that left a function of a module."""
    exec("def callback(error):\n    raise error", namespace)
    error = StopError()
    try:
        namespace["callback"](error)
    except StopError as raised:
        trace = raised.__traceback__
        assert trace is not None
        return SimpleNamespace(exc_value=raised, exc_traceback=trace.tb_next)


@pytest.fixture
def passed_on(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Reports that reach the hook of the program."""
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    return heard


def test_what_the_binding_loses_is_parked(passed_on: list[Any]) -> None:
    parking = Parking()
    lost = report_from({"__name__": wasmtime.Func.__module__})
    with KeptReports(parking):
        sys.unraisablehook(lost)
    assert (parking.exception, parking.trap[0], passed_on) == (lost.exc_value, LEFT_EARLY, [])
    with pytest.raises(StopError):
        parking.raise_left()
    assert (parking.exception, parking.trap[0]) == (None, 0)


def test_everything_else_is_passed_on(passed_on: list[Any]) -> None:
    parking, other = Parking(), report_from({"__name__": "program"})
    with KeptReports(parking), KeptReports(Parking()):
        sys.unraisablehook(other)
    assert (parking.exception, parking.trap[0], passed_on) == (None, 0, [other])


def test_the_innermost_call_is_the_one(passed_on: list[Any]) -> None:
    outer, inner = Parking(), Parking()
    lost = report_from({"__name__": wasmtime.Func.__module__})
    with KeptReports(outer):
        with KeptReports(inner):
            sys.unraisablehook(lost)
        assert (outer.exception, inner.exception) == (None, lost.exc_value)


def test_the_hook_of_the_program_comes_back(passed_on: list[Any]) -> None:
    before = sys.unraisablehook
    with KeptReports(Parking()):
        assert sys.unraisablehook is not before
    with pytest.raises(StopError), KeptReports(Parking()):
        raise StopError
    assert sys.unraisablehook is before


def test_a_hook_that_is_set_meanwhile_stays(passed_on: list[Any]) -> None:
    """One that passes on to ours finds nobody there: the program gets the report."""
    parking, lost = Parking(), report_from({"__name__": wasmtime.Func.__module__})
    with KeptReports(parking):
        ours = sys.unraisablehook
        sys.unraisablehook = newer = lambda report: ours(report)
    assert sys.unraisablehook is newer
    newer(lost)
    assert (parking.exception, passed_on) == (None, [lost])


def test_other_threads_leave_it_alone(passed_on: list[Any]) -> None:
    found, before = [], sys.unraisablehook

    def enter() -> None:
        with KeptReports(Parking()):
            found.append(sys.unraisablehook)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, StopError]:
    """The covered callback under imports of the binding, and what is raised in it."""
    assert cover_binding()
    callback, lost = binding_callback(), StopError()

    def stop(_: object) -> None:
        raise lost

    monkeypatch.setitem(callback.__globals__, "Caller", stop)
    return callback, lost


def test_nothing_leaves_the_callback_under_imports(stopped: tuple[Any, StopError]) -> None:
    """It gives 0 to C, which is no trap, instead of whatever lies on the stack."""
    callback, lost = stopped
    outer, inner = Parking(), Parking()
    with KeptReports(outer):
        with KeptReports(inner):
            assert callback(0, None, None, 0, None, 0) == 0
        assert (inner.exception, inner.trap[0]) == (lost, LEFT_EARLY)
        assert outer.exception is None
        assert callback(0, None, None, 0, None, 0) == 0
    assert outer.exception is lost


def test_a_call_of_the_programs_own_use_of_the_binding(stopped: tuple[Any, StopError]) -> None:
    """Exceptions that are raised there are reported as without the runtime."""
    callback, lost = stopped
    with pytest.raises(StopError) as raised:
        callback(0, None, None, 0, None, 0)
    assert raised.value is lost

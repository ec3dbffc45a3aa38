"""Functions whose `try` covers their entry, where Python runs the handlers of signals."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from marine_runtime.wasm.covered import _entries, _table, covered, covered_code, problem
from tests.support.interrupted import StopError, entered


def test_this_python_is_known() -> None:
    assert problem() is None


def test_an_entry_is_covered() -> None:
    number = 3

    def plain() -> Any:
        try:
            return abs(number)
        except StopError as error:
            return type(error)

    with pytest.raises(StopError):
        entered(plain)
    safe = covered(plain)
    assert entered(safe) is StopError
    assert safe() == 3


def test_an_entry_under_a_profiler() -> None:
    """Python 3.11 looks for the handler of the instruction before it."""

    def probe() -> Any:
        try:
            return abs(3)
        except StopError as error:
            return type(error)

    safe, found = covered(probe), []

    def run() -> None:  # the profiler of the test's own thread stays
        sys.setprofile(lambda *_: None)
        found.append(entered(safe))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [StopError]


def test_a_clause_finally() -> None:
    done: list[int] = []

    def plain() -> None:
        try:
            done.append(1)
        finally:
            done.append(2)

    with pytest.raises(StopError):
        entered(covered(plain))
    assert done == [2]


@pytest.mark.parametrize(
    "body",
    [
        "    return 1",
        "    len('')\n    try:\n        len('')\n    except ValueError:\n        pass",
        "    for item in ():\n        try:\n            len('')\n        except ValueError:\n            pass",
        "    try:\n        return None\n    except ValueError:\n        pass",  # nothing in it can raise
    ],
)
def test_other_bodies_are_refused(body: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def function():\n{body}", namespace)
    with pytest.raises(ValueError, match="the body of `function` is not a `try` statement"):
        covered_code(namespace["function"].__code__)


@pytest.mark.parametrize("values", [(0, 1, 63, 64), (64, 4095, 4096, 1), (2**18, 2**18 - 1, 2**30, 0)])
def test_tables_are_read_as_written(values: tuple[int, int, int, int]) -> None:
    table = [values, (5, 6, 7, 8)]
    assert list(_entries(_table(table))) == table


def test_tables_of_python() -> None:
    for function in (entered, covered, covered_code, pytest.raises, problem.__wrapped__):
        table = function.__code__.co_exceptiontable  # type: ignore[attr-defined]
        assert _table(_entries(table)) == table

"""Every parameter of the Python API, with values that are wrong: an error of Marine's, with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.public import EXEMPT, callables, exemptions, parameters
from tests.wrong_values.python_calls import RAW, Runner

CASES = load_cases(GOLDEN / "wrong_values" / "python.golden")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """The folder and the service that all rows use."""
    with ExitStack() as stack:
        yield Runner(tmp_path_factory.mktemp("python"), stack)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(runner: Runner, case: Case) -> None:
    found = runner.outcome(case.input)
    case.check(found)
    assert RAW not in found


def test_every_parameter_has_a_row() -> None:
    assert {case.title.partition(": ")[0] for case in CASES} == parameters()


def test_exemptions_are_of_something_that_is_there() -> None:
    everything = {*callables(), *(f"{name.partition('.')[0]}.*" for name in callables())}
    assert exemptions() <= everything
    assert all(EXEMPT.values())

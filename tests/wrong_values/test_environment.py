"""Every environment variable that is read, with values that are wrong: a sentence that names it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.available import needs_compiler
from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.commands import sandbox
from tests.wrong_values.environment import outcome, parameters

CASES = load_cases(GOLDEN / "wrong_values" / "environment.golden")


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The folder in which all rows run."""
    with sandbox(tmp_path_factory.mktemp("environment")):
        yield


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=needs_compiler if "C compiler" in case.title else ()) for case in CASES],
    ids=str,
)
def test_wrong_values(case: Case) -> None:
    case.check(outcome(case.input))


def test_every_variable_has_a_row() -> None:
    assert {case.title.partition(": ")[0] for case in CASES} == parameters()

"""Every parameter of every command, with values that are wrong: one message, an exit code, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.commands import outcome, parameters, sandbox

CASES = load_cases(GOLDEN / "wrong_values" / "commands.golden")


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The folder in which all rows run."""
    with sandbox(tmp_path_factory.mktemp("commands")):
        yield


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(case: Case) -> None:
    case.check(outcome(case.input))


def test_every_parameter_has_a_row() -> None:
    assert {case.title.partition(": ")[0] for case in CASES} == parameters()

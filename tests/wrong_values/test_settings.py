"""Every key of a configuration, with values that are wrong: an error with its place, or a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.commands import sandbox
from tests.wrong_values.settings import outcome, parameters

CASES = load_cases(GOLDEN / "wrong_values" / "settings.golden")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(case: Case, folder: Path) -> None:
    case.check(outcome(case.input, folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A folder with files that configurations name."""
    place = tmp_path_factory.mktemp("settings")
    with sandbox(place):
        yield place


def test_every_key_has_a_row() -> None:
    assert parameters() <= {case.title.partition(": ")[0] for case in CASES}

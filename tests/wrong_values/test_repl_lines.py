"""Every command of the interactive loop, used wrongly: a message, and the loop goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.commands import sandbox
from tests.wrong_values.repl_lines import outcome, parameters

CASES = load_cases(GOLDEN / "wrong_values" / "repl.golden")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which all rows run."""
    place = tmp_path_factory.mktemp("repl")
    with sandbox(place):
        yield place


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(case: Case, folder: Path) -> None:
    found = outcome(case.input, folder)
    case.check(found)
    assert "internal error" not in found
    assert "Traceback" not in found


def test_every_command_has_a_row() -> None:
    assert {case.title.partition(": ")[0] for case in CASES} == parameters()

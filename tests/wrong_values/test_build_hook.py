"""Every key of the build hook's table, with values that are wrong."""

from __future__ import annotations

import pytest

from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.build_hook import outcome, parameters

CASES = load_cases(GOLDEN / "wrong_values" / "packages.golden")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(case: Case) -> None:
    case.check(outcome(case.input))


def test_every_key_has_a_row() -> None:
    assert parameters() <= {case.title.partition(": ")[0] for case in CASES}

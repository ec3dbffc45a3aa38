"""The full text of every diagnostic of the text front end, as goldens."""

from __future__ import annotations

import pytest

from marine_gen.diagnostics import DiagnosticError
from marine_gen.text import parse
from tests.support.golden import GOLDEN, Case, load_cases


@pytest.mark.parametrize("case", load_cases(GOLDEN / "text" / "errors.golden"), ids=str)
def test_text_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse(case.input, "adapter.it")
    case.check(str(caught.value))

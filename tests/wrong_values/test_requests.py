"""Every part of a request to a server, with values that are wrong: a problem document with a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.commands import sandbox
from tests.wrong_values.requests import application, outcome, parameters

CASES = load_cases(GOLDEN / "wrong_values" / "http.golden")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Sends a request to one application."""
    with sandbox(tmp_path_factory.mktemp("http")), asyncio.Runner() as runner:
        app = application()
        runner.run(app.start())
        yield lambda text: outcome(text, app, runner.get_loop())
        runner.run(app.close())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(case: Case, ask: Callable[[str], str]) -> None:
    found = ask(case.input)
    case.check(found)
    assert not found.startswith("5")


def test_every_part_has_a_row() -> None:
    assert {case.title.partition(": ")[0] for case in CASES} == parameters()

"""Whole sessions, compared with golden ones on every engine and call layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.guests.descriptions import ROOT
from tests.support.engines import CONFIGURATIONS, Configuration
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.repl import transcript

CASES = load_cases(GOLDEN / "repl" / "sessions.txt")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place with the files that sessions name."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("folder")
def test_session_prints_what_is_expected(
    case: Case, configuration: Configuration, service: Callable[..., Path]
) -> None:
    names, *lines = case.input.split("\n")
    target = service(*names.split()) if names else None
    shown = transcript(target, lines, engine=configuration.engine, backend=configuration.backend)
    case.check(shown.replace(f"`engine {configuration.engine}`", "`engine NAME`").rstrip("\n"))

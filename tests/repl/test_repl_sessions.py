"""Whole sessions, compared with golden ones on every engine and call layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guests.descriptions import ROOT
from tests.support.engines import CONFIGURATIONS, Configuration, guest
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.repl import transcript

CASES = load_cases(GOLDEN / "repl" / "sessions.txt")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with the files that sessions name."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_service(folder: Path, *names: str) -> Path | None:
    """A configuration with some guests; None for none."""
    if not names:
        return None
    lines = ['modules_dir = "."', 'total_memory_limit = "Infinity"']
    for name in names:
        (folder / f"{name}.wasm").write_bytes(guest(name))
        lines += ["[[module]]", f'name = "{name}"']
    path = folder / "service.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_session_prints_what_is_expected(case: Case, configuration: Configuration, folder: Path) -> None:
    names, *lines = case.input.split("\n")
    target = write_service(folder, *names.split())
    shown = transcript(target, lines, engine=configuration.engine, backend=configuration.backend)
    case.check(shown.replace(f"`engine {configuration.engine}`", "`engine NAME`").rstrip("\n"))

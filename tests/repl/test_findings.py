"""Findings of several lines stay several lines, in the interactive loop and elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli

CONFIG = "modules_dir = 3\n[[module]]\nname = 3\n"


@pytest.mark.parametrize("words", [["repl"], ["repl", "bad.toml"], ["run", "bad.toml", "m.f"], ["check", "bad.toml"]])
def test_a_line_each(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(CONFIG, "utf-8")
    result = CliRunner().invoke(cli, words, input="new bad.toml\n")
    assert result.exit_code == 1
    assert "\\n" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if "bad.toml`" in line]
    assert len(lines) == 2
    assert lines[1].endswith("`bad.toml`: `module[0].name` must be a string, not an integer")

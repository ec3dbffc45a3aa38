"""Every Wasm file that a command writes is valid for `wasm-tools` too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from tests.support.components import tool
from tests.support.paths import TESTS

GUESTS = TESTS / "guests"
GREETING = str(GUESTS / "greeting.wasm")
SWAMP = '[[module]]\nname = "donkey"\n[[module]]\nname = "shrek"\n'

COMMANDS = {
    "build": ["build", "swamp.toml", "-o", "built"],
    "build for closures": ["build", "swamp.toml", "-o", "built", "--engine", "closures"],
    "component": ["component", "swamp.toml", "-o", "out.wasm"],
    "set it": ["set", "it", "-i", GREETING, "-w", str(GUESTS / "greeting.it"), "-o", "out.wasm"],
    "set version": ["set", "version", "-i", GREETING, "-v", "0.14.0", "-o", "out.wasm"],
}


def valid(path: Path) -> str:
    """The findings about a Wasm file; empty when it is valid."""
    command = [tool("wasm-tools"), "validate", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_emitted_wasm_is_valid(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    limits = f'modules_dir = "{GUESTS}"\ntotal_memory_limit = "Infinity"\n'
    (tmp_path / "swamp.toml").write_text(limits + SWAMP)
    result = CliRunner().invoke(cli, COMMANDS[name])
    assert result.exit_code == 0, result.output
    found = sorted(tmp_path.rglob("*.wasm"))
    assert found
    assert {path.name: valid(path) for path in found} == {path.name: "" for path in found}


def test_what_is_not_valid_is_found(tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes((GUESTS / "greeting.wasm").read_bytes()[:-1])
    assert valid(tmp_path / "m.wasm")

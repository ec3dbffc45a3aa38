"""A workspace, and a stand-in in the places of cargo and rustc."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rust.modules import described
from tests.rust.recording import WORKSPACE
from tests.rust.stand_in import StandIn


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with the workspace in it."""
    shutil.copytree(WORKSPACE, tmp_path / "ws")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cargo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, which builds the workspace; nothing else is on the search path."""
    place = folder / "stand in"
    place.mkdir()
    (place / "plain.wasm").write_bytes(described())
    cargo = StandIn(place)
    cargo.build_workspace(folder / "ws", place / "plain.wasm")
    monkeypatch.setenv("PATH", str(cargo.search_path))
    monkeypatch.setenv("STAND_IN", str(cargo.answers))
    for name in ("CARGO", "RUSTC"):
        monkeypatch.delenv(name, raising=False)
    return cargo

"""The search for interpreters."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.platforms import pythons
from tests.support.debian import UnavailableError

OWN = "{}.{}".format(*sys.version_info)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


def stand_in(folder: Path, version: str, says: str) -> Path:
    """A command that answers as an interpreter does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"python{version}"
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def environment(folder: Path) -> dict[str, str]:
    """One in which nothing but a folder is looked at."""
    return {"PATH": str(folder / "path"), "HOME": str(folder)}


def test_places_and_their_order(tmp_path: Path) -> None:
    pyenv, uv = tmp_path / ".pyenv/versions", tmp_path / ".local/share/uv/python"
    stand_in(tmp_path / "path", "3.12", "exit 127")  # a command of pyenv for a version that is not chosen
    for patch in (9, 10):
        stand_in(pyenv / f"3.12.{patch}/bin", "3.12", "echo 3.12 cpython 0")
    stand_in(uv / "cpython-3.13.2-linux-x86_64-gnu/bin", "3.13", "echo 3.13 cpython 0")
    stand_in(tmp_path / "path", "3.14", "echo 3.14 cpython 1")  # without a GIL
    stand_in(tmp_path / "path", "3.11", "echo 3.11 pypy 0")
    found = pythons.find(environment(tmp_path))
    assert found == {
        "3.12": pyenv / "3.12.10/bin/python3.12",
        "3.13": uv / "cpython-3.13.2-linux-x86_64-gnu/bin/python3.13",
    }


def test_this_interpreter_is_usable() -> None:
    assert pythons.is_usable(Path(sys.executable), OWN)
    assert not pythons.is_usable(Path(sys.executable), "3.10")


def test_the_quick_run_takes_both_ends() -> None:
    others = [version for version in pythons.VERSIONS if version != OWN]
    assert pythons.chosen([*others[:2], *others[2:]], quick=True) == [others[0], others[-1]]
    assert pythons.chosen([OWN], quick=True) == []
    assert pythons.chosen([OWN, *others], quick=False) == [OWN, *others]


def test_the_quick_part_is_there() -> None:
    assert all((pythons.ROOT / path).exists() for path in pythons.QUICK)


def test_missing_versions_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nothing(version: str, folder: Path) -> Path:
        raise UnavailableError("Debian has none")

    monkeypatch.setattr(pythons, "find", dict)
    monkeypatch.setattr(pythons.debian_python, "interpreter", nothing)
    assert pythons.main([]) == 1
    said = capsys.readouterr()
    assert all(f"Python {version}: missing" in said.out for version in pythons.VERSIONS)
    assert "none of Python 3.11, " in said.err


def test_what_is_missing_comes_from_debian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def unpacked(version: str, folder: Path) -> Path:
        asked.append(version)
        return folder / version

    monkeypatch.setattr(pythons.debian_python, "interpreter", unpacked)
    here = dict.fromkeys(pythons.VERSIONS[:2], tmp_path)
    assert pythons.complete(here) == here | {item: pythons.FOLDER / "debian" / item for item in pythons.VERSIONS[2:]}
    assert asked == list(pythons.VERSIONS[2:])

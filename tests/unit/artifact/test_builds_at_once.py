"""Two builds of one directory at the same time: the one that is ready first stays, as it may be in use already."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

import marine_runtime
from marine_gen.artifact import build
from marine_gen.artifact.target import Source
from tests.support.engines import guests

SWAMP = Source("swamp", guests("donkey", "shrek"))
OTHER = Source("other", guests("greeting"))

Identity = dict[str, tuple[int, int]]
Overtaken = Callable[..., Identity]


def identity(directory: Path) -> Identity:
    """The directory itself and its files: which ones they are, and when they were written."""
    found = {item.name: item.stat() for item in (directory, *directory.iterdir())}
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in found.items()}


@pytest.fixture
def overtaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Overtaken:
    """Builds `SWAMP`, while another build begins later and is ready earlier; gives what the other one wrote."""
    stage = importlib.import_module("marine_gen.artifact.outputs")
    fusions = stage.fusions

    def run(other: Source, **options: bool) -> Identity:
        first: Identity = {}

        def slow(service: object) -> object:
            monkeypatch.setattr(stage, "fusions", fusions)
            build(other, tmp_path / "built")
            first.update(identity(tmp_path / "built"))
            return fusions(service)

        monkeypatch.setattr(stage, "fusions", slow)
        assert not build(SWAMP, tmp_path / "built", **options).fresh
        return first

    return run


def left(folder: Path) -> Identity:
    """The directory that is there in the end, which can be loaded."""
    (output,) = folder.iterdir()
    found = identity(output)  # before Python keeps bytecode in there
    with marine_runtime.load(output) as service:
        assert service.modules.shrek.greeting("x") == ["Shrek: hi, x", "Donkey: hi, x"]
    return found


def test_an_equal_build_that_is_ready_first_stays(overtaken: Overtaken, tmp_path: Path) -> None:
    first = overtaken(SWAMP)
    assert left(tmp_path) == first


def test_a_build_of_something_else_is_replaced(overtaken: Overtaken, tmp_path: Path) -> None:
    first = overtaken(OTHER)
    assert left(tmp_path)["manifest.json"] != first["manifest.json"]


def test_a_build_by_force_replaces_an_equal_one(overtaken: Overtaken, tmp_path: Path) -> None:
    first = overtaken(SWAMP, force=True)
    assert left(tmp_path)["manifest.json"] != first["manifest.json"]

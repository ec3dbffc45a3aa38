"""The user's cache of builds: used again, built again when damaged, never read when it may be somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact import cache_directory, cache_entries, clear_cache
from tests.support.engines import guests

HELLO = guests("greeting")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MARINE_GEN_CACHE", str(folder))
    return folder


def greet() -> str:
    with marine_gen.load(HELLO) as service:
        answer: str = service.modules.greeting.greeting("x")
        return answer


def stamps(folder: Path) -> dict[str, int]:
    return {item.name: item.stat().st_mtime_ns for item in folder.iterdir() if item.is_file()}


def test_a_second_load_builds_nothing(cache: Path) -> None:
    assert greet() == "Hi, x"
    (entry,) = cache_entries()
    before = stamps(entry)
    assert greet() == "Hi, x"
    assert stamps(entry) == before


@pytest.mark.parametrize(
    "name", ["greeting.cwasm", "greeting.glue.cwasm", "greeting_fused.py", "greeting.wasm", "manifest.json"]
)
@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_entry_is_built_again(cache: Path, name: str, damage: bytes | None) -> None:
    greet()
    (entry,) = cache_entries()
    whole = (entry / name).read_bytes()
    (entry / name).unlink()  # and not written in place, as machine code is mapped
    if damage is not None:
        (entry / name).write_bytes(damage)
    assert greet() == "Hi, x"
    assert (entry / name).read_bytes() == whole


def test_a_folder_that_others_may_write_is_not_used(cache: Path) -> None:
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    assert cache_directory() is None
    assert greet() == "Hi, x"
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_done_without(cache: Path) -> None:
    cache.write_text("in the way")
    assert cache_directory() is None
    assert greet() == "Hi, x"


def test_clearing_takes_leftovers_and_nothing_else(cache: Path) -> None:
    greet()
    (entry,) = cache_entries()
    leftover, other = cache / f".{entry.name}-abc", cache / "notes"
    leftover.mkdir()
    other.mkdir()
    assert clear_cache() == 1
    assert os.listdir(cache) == ["notes"]

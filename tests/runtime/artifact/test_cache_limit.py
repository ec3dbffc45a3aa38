"""The limit of the cache: what was not used for longest is dropped, and nothing that is in use."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import cache_entries
from marine_runtime.artifact import cache_limit
from marine_runtime.artifact.cache_limit import (
    CHECKED,
    CODE_FOLDER,
    DEFAULT_LIMIT,
    LIMIT_VARIABLE,
    limit,
    note_use,
    trim,
)
from marine_runtime.config.cache_directory import CACHE_VARIABLE
from tests.support.engines import guests


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    return folder


def used(path: Path, hours: float) -> None:
    """Say that something was last used so many hours ago."""
    moment = time.time() - 3600 * hours
    os.utime(path, (moment, moment))


def entry(cache: Path, letter: str, hours: float, *, mark: bool = True) -> Path:
    """A build of 1000 bytes."""
    folder = cache / (letter * 64)
    folder.mkdir()
    (folder / "code").write_bytes(bytes(1000))
    if mark:
        (folder / CHECKED).touch()
    used(folder / CHECKED if mark else folder, hours)
    return folder


def code(cache: Path, letter: str, hours: float) -> Path:
    """A file with machine code, of 1000 bytes."""
    (cache / CODE_FOLDER).mkdir(exist_ok=True)
    file = cache / CODE_FOLDER / f"{letter * 64}.cwasm"
    file.write_bytes(bytes(1000))
    used(file, hours)
    return file


def test_what_was_not_used_for_longest_is_dropped(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [entry(cache, "a", 1), code(cache, "b", 2)]
    gone = [entry(cache, "c", 4), code(cache, "d", 3), entry(cache, "e", 5, mark=False)]
    other = cache / "notes.txt"
    other.write_bytes(bytes(10_000))
    monkeypatch.setenv(LIMIT_VARIABLE, "2.5 kB")
    trim()
    assert [item.exists() for item in kept] == [True, True]
    assert [item.exists() for item in gone] == [False, False, False]
    assert sorted(item.name for item in cache.iterdir()) == ["a" * 64, CODE_FOLDER, "notes.txt"]


def test_what_was_used_just_now_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may be reading it."""
    items = [entry(cache, "a", 0), code(cache, "b", 0), entry(cache, "c", 1)]
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    trim()
    assert [item.exists() for item in items] == [True, True, False]


def test_each_use_counts(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only the first within an hour: what was used within the last minute stays, whenever that was noted."""
    items = [entry(cache, "a", 0.5), entry(cache, "b", 1 / 61), entry(cache, "c", 0.2)]
    for item in items[:2]:
        note_use(str(item / CHECKED))
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    trim()
    assert [item.exists() for item in items] == [True, True, False]


def test_a_clock_that_was_set_back(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [entry(cache, "a", -50), entry(cache, "b", 1), code(cache, "c", -48), entry(cache, "d", -49)]
    note_use(str(items[3] / CHECKED))
    monkeypatch.setenv(LIMIT_VARIABLE, "2 kB")
    trim()
    assert [item.exists() for item in items] == [False, True, False, True]


def test_what_killed_processes_left_counts(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, old, new = entry(cache, "a", 40), cache / f".{'b' * 64}-optimised-x", cache / f".{'c' * 64}-y"
    for folder, hours in ((old, 30), (new, 2)):
        (folder / "service").mkdir(parents=True)
        (folder / "service" / "code").write_bytes(bytes(1000))
        used(folder, hours)
    file = code(cache, "d", 1).with_name(f".{'d' * 64}.cwasm-7-0")
    file.write_bytes(bytes(1000))
    used(file, 30)
    monkeypatch.setenv(LIMIT_VARIABLE, "2 kB")
    trim()
    assert [item.exists() for item in (kept, old, new, file)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("text", "expected"), [(None, DEFAULT_LIMIT), ("", DEFAULT_LIMIT), ("1 MiB", 1 << 20), ("Infinity", None)]
)
def test_the_limit_is_a_setting(text: str | None, expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(LIMIT_VARIABLE, text)
    assert limit() == expected


def test_a_wrong_limit_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    cache_limit._warn.cache_clear()
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with caplog.at_level(logging.WARNING, "marine_runtime"):
        assert [limit(), limit()] == [DEFAULT_LIMIT, DEFAULT_LIMIT]
    (message,) = caplog.messages
    assert LIMIT_VARIABLE in message
    cache_limit._warn.cache_clear()


def test_builds_and_loads_keep_the_limit(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = entry(cache, "a", 1)
    monkeypatch.setenv(LIMIT_VARIABLE, "1 kB")
    marine_gen.load(guests("greeting")).close()
    assert not old.exists()
    (made,) = cache_entries()

    used(made / CHECKED, 2)  # a load notes that it was used
    marine_gen.load(guests("greeting")).close()
    assert time.time() - (made / CHECKED).stat().st_mtime < 3600

    portable = marine_gen.build(guests("greeting"), tmp_path / "portable", native=False).directory
    used(made / CHECKED, 2)
    marine_runtime.load(portable).close()
    assert not made.exists()
    (file, *_) = files = list((cache / CODE_FOLDER).iterdir())
    used(file, 2)
    marine_runtime.load(portable).close()
    assert time.time() - file.stat().st_mtime < 3600
    assert sorted(files) == sorted((cache / CODE_FOLDER).iterdir())

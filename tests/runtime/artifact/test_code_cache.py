"""Machine code of portable builds: kept in the user's cache, made again when damaged, never taken from elsewhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import platformdirs
import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import build, cached_code, clear_cache
from marine_gen.artifact.target import Source
from marine_runtime.artifact.cache_limit import CODE_FOLDER
from marine_runtime.artifact.code_cache import code_directory
from marine_runtime.config.cache_directory import CACHE_VARIABLE, cache_place
from marine_runtime.errors import FuelLimitError
from tests.support.engines import guests

SWAMP = guests("donkey", "shrek")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def portable(tmp_path: Path) -> Path:
    directory = tmp_path / "portable"
    marine_gen.build(dict(SWAMP), directory, native=False)
    return directory


def greet(directory: Path, engine: str = "fused") -> None:
    with marine_runtime.load(directory, engine=engine) as service:
        assert service.modules.shrek.greeting("Jane") == ["Shrek: hi, Jane", "Donkey: hi, Jane"]


def stamps(cache: Path) -> dict[str, int]:
    return {item.name: item.stat().st_mtime_ns for item in (cache / CODE_FOLDER).iterdir()}


def test_a_portable_build_has_no_machine_code_and_says_nothing_of_the_machine(
    portable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not list(portable.glob("*.cwasm"))
    monkeypatch.setattr("platform.machine", lambda: "another")
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    marine_gen.build(dict(SWAMP), tmp_path / "again", native=False)
    for path in portable.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert marine_gen.build(dict(SWAMP), portable, native=False).fresh
    assert not marine_gen.build(dict(SWAMP), portable).fresh
    assert list(portable.glob("*.cwasm"))


def test_a_second_load_compiles_nothing(portable: Path, cache: Path) -> None:
    greet(portable)
    before = stamps(cache)
    assert len(before) == 2 + 2 + 1  # guests, glue, the stub of the one with imports
    greet(portable)
    greet(portable, "closures")
    assert stamps(cache) == before


def test_code_that_uses_fuel_is_kept_apart(portable: Path, cache: Path) -> None:
    """Each of the two would refuse the other's, and write its own in that place."""
    greet(portable)
    before = stamps(cache)
    with marine_runtime.load(portable, fuel=10**9) as service:
        assert service.modules.shrek.greeting("Jane") == ["Shrek: hi, Jane", "Donkey: hi, Jane"]
        with pytest.raises(FuelLimitError):
            service.call("shrek", "greeting", ["Jane"], fuel=1)
    both = stamps(cache)
    assert len(both) == 2 * len(before)
    assert before.items() <= both.items()
    greet(portable)
    with marine_runtime.load(portable, fuel=10**9):
        assert stamps(cache) == both


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_damaged_code_is_made_again(portable: Path, cache: Path, damage: bytes | None) -> None:
    greet(portable)
    whole = {item: item.read_bytes() for item in (cache / CODE_FOLDER).iterdir()}
    for item, content in whole.items():
        item.write_bytes(content[:-1] + b"!" if damage is None else damage)
    greet(portable)
    assert {item: item.read_bytes() for item in (cache / CODE_FOLDER).iterdir()} == whole


def test_code_that_wasmtime_refuses_is_made_again(portable: Path, cache: Path) -> None:
    """With a right digest around it."""
    greet(portable)
    whole = {item: item.read_bytes() for item in (cache / CODE_FOLDER).iterdir()}
    for item in whole:
        item.write_bytes(hashlib.sha256(b"not machine code").digest() + b"not machine code")
    greet(portable)
    assert {item: item.read_bytes() for item in (cache / CODE_FOLDER).iterdir()} == whole


@pytest.mark.parametrize("folder", ["", CODE_FOLDER])
def test_a_folder_that_others_may_write_is_not_used(portable: Path, cache: Path, folder: str) -> None:
    (cache / CODE_FOLDER).mkdir(parents=True)
    (cache / folder).chmod(0o777)
    assert code_directory() is None
    greet(portable)
    assert list((cache / CODE_FOLDER).iterdir()) == []


def test_a_cache_that_cannot_be_made_is_done_without(portable: Path, cache: Path) -> None:
    cache.write_text("in the way")
    assert code_directory() is None
    greet(portable)


def test_without_a_home_directory_there_is_no_cache(portable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert code_directory() is None
    greet(portable)


def test_clearing_the_cache_takes_the_code_too(portable: Path, cache: Path) -> None:
    greet(portable)
    (cache / CODE_FOLDER / f".{'0' * 64}.cwasm-left").touch()
    assert len(cached_code()) == 6
    assert clear_cache() == 0
    assert list(cache.iterdir()) == []


def test_clearing_the_cache_takes_nothing_else(portable: Path, cache: Path) -> None:
    greet(portable)
    (cache / CODE_FOLDER / "notes.txt").write_text("precious")
    clear_cache()
    assert [path.name for path in (cache / CODE_FOLDER).iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("base", [None, "/somewhere/else"])
def test_the_cache_is_where_the_platform_wants_it(base: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if base:
        monkeypatch.setenv("XDG_CACHE_HOME", base)
    assert cache_place() == platformdirs.user_cache_dir("marine-gen", appauthor=False)


def test_other_code_is_still_in_the_directory(cache: Path, tmp_path: Path) -> None:
    """The cache holds no code of a build that has its own."""
    build(Source("swamp", SWAMP), tmp_path / "native")
    greet(tmp_path / "native")
    assert not (cache / CODE_FOLDER).exists()
    manifest = json.loads((tmp_path / "native" / "manifest.json").read_text())
    assert all("code" in module["files"] for module in manifest["modules"])

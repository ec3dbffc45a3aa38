"""The user's cache of builds: used again, built again when damaged, never read when it may be somebody else's."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen.artifact import cache_directory, cache_entries, clear_cache
from marine_runtime import LoadError, Tracer
from marine_runtime.artifact import CHECKED, read_manifest, read_pack
from marine_runtime.wasm import Module, WasmRuntime, compiling
from tests.support.engines import guests

HELLO = guests("greeting")

loading: Any = sys.modules["marine_gen.artifact.load"]


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


def test_uses_are_noted_while_the_service_is_open(cache: Path) -> None:
    """An entry that is loaded all the time would be the first to be dropped, if one service of it is long-lived."""
    greet()
    (entry,) = cache_entries()
    with marine_gen.load(HELLO):
        os.utime(entry / CHECKED, (1, 1))
        greet()
        assert (entry / CHECKED).stat().st_mtime > 1


@pytest.mark.parametrize("what", ["greeting.cwasm", "everything"])
def test_an_entry_that_is_removed_during_a_load(cache: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """By the limit of another process, or `marine-gen cache --clear`, which has not come to the manifest yet."""
    monkeypatch.setattr("marine_runtime.artifact.files.MAPPED", 0)  # so that machine code is not in the pack
    monkeypatch.setattr("marine_runtime.artifact.pack.MAPPED", 0)
    greet()
    real: Any = loading.load_with

    def late(engines: object, name: object, place: Path, *rest: Any, **options: Any) -> Any:
        monkeypatch.setattr(loading, "load_with", real)
        for file in list(place.iterdir()):
            if what == "everything" or file.name in (what, "greeting.charged.wasm"):
                file.unlink()
        return real(engines, name, place, *rest, **options)

    monkeypatch.setattr(loading, "load_with", late)
    assert greet() == "Hi, x"
    (entry,) = cache_entries()
    assert read_pack(str(entry)) is not None


def test_an_entry_that_is_removed_during_each_load(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time, the error is that of any entry that can't be read."""
    greet()
    tried = []

    def fail(engines: object, name: object, place: Path, *_: Any, **__: Any) -> None:
        tried.append(place)
        for file in list(place.iterdir()):
            file.unlink()
        raise LoadError(f"a file of entry {len(tried)} can't be read")

    monkeypatch.setattr(loading, "load_with", fail)
    with pytest.raises(LoadError, match=r"^a file of entry 2 can't be read$") as raised:
        greet()
    assert type(raised.value) is LoadError
    assert len(tried) == 2


def test_a_load_of_a_whole_entry_that_fails(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried again: code of guests may have run."""
    greet()
    tried = []

    def fail(*_: Any, **__: Any) -> None:
        tried.append(1)
        raise LoadError("the system has no address space left")

    monkeypatch.setattr(loading, "load_with", fail)
    with pytest.raises(LoadError, match="no address space"):
        greet()
    assert tried == [1]


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


@pytest.mark.parametrize(
    ("engine", "kinds"),
    [
        ("fused", {"fused_python", "fused_python_bytecode", "glue_code", "glue_wasm"}),
        ("closures", {"python", "python_bytecode"}),
        ("interpreter", {"fused_python", "fused_python_bytecode", "glue_code", "glue_wasm"}),
    ],
)
def test_an_entry_has_what_its_engine_runs(cache: Path, engine: str, kinds: set[str]) -> None:
    """A first load is waited for; nobody imports the entry, or reads its text."""
    with marine_gen.load(HELLO, engine=engine) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    (entry,) = cache_entries()
    (module,) = read_manifest(entry).modules
    assert set(module.files) - {"charged"} == {"wasm", "code"} | kinds
    assert {item.suffix for item in entry.iterdir()} <= {".wasm", ".cwasm", ".py", ".bytecode", ".json", ""}


def test_engines_and_traces_have_entries_of_their_own(cache: Path) -> None:
    options: list[dict[str, Any]] = [{}, {"engine": "closures"}, {"trace": Tracer()}]
    for _ in range(2):
        for chosen in options:
            with marine_gen.load(HELLO, **chosen) as service:
                assert service.modules.greeting.greeting("x") == "Hi, x"
        assert len(cache_entries()) == len(options)


def test_guests_are_compiled_beside_the_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine code is made by the thread that generates Python, unless the system has no other."""
    threads: list[int] = []
    compile_wasm = WasmRuntime.compile

    def compiled(self: WasmRuntime, wasm: bytes) -> Module:
        threads.append(threading.get_ident())
        return compile_wasm(self, wasm)

    monkeypatch.setattr(WasmRuntime, "compile", compiled)
    assert greet() == "Hi, x"
    assert threads
    assert threading.get_ident() not in threads
    clear_cache()
    threads.clear()

    def refuse(_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(compiling, "start_own_thread", refuse)
    assert greet() == "Hi, x"
    assert threads
    assert set(threads) == {threading.get_ident()}


def test_a_guest_that_can_not_be_compiled(cache: Path) -> None:
    """The load raises the error of its thread."""
    wasm = HELLO["greeting"].replace(b"\x20\x00\x20\x01", b"\x20\x00\x1a\x01", 1)
    assert wasm != HELLO["greeting"]
    with pytest.raises(LoadError, match="not a valid Wasm module"):
        marine_gen.load({"greeting": wasm})
    assert cache_entries() == []

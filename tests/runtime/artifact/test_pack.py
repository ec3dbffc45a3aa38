"""Packs of builds in the cache: read while the build is whole, and done without otherwise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import marine_gen
from marine_runtime.artifact import BYTECODE_KINDS, MANIFEST, PACK, read_manifest, read_pack, write_pack
from tests.guests.descriptions import GUESTS_FOLDER

GREETING = GUESTS_FOLDER / "greeting.wasm"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return marine_gen.build(GREETING, tmp_path_factory.mktemp("pack") / "built").directory


@pytest.fixture
def built(original: Path, tmp_path: Path) -> Path:
    """A build with a pack."""
    place = Path(shutil.copytree(original, tmp_path / "copy"))
    write_pack(str(place), read_manifest(place))
    return place


def age(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def change(path: Path, at: int) -> None:
    """Change a byte in place, at another time."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    age(path)


def test_a_pack_has_what_a_load_reads(built: Path) -> None:
    pack = read_pack(str(built))
    assert pack is not None
    assert pack.manifest == read_manifest(built)
    (entry,) = pack.manifest.modules
    read = {entry.files[kind].name for kind in (*entry.shapes, *BYTECODE_KINDS.values())}
    for item in pack.manifest.all_files():
        assert pack.get(item.name) == ((built / item.name).read_bytes() if item.name in read else None)


@pytest.mark.parametrize("name", [MANIFEST, "greeting.cwasm", "greeting.wasm", "greeting_fused.py"])
@pytest.mark.parametrize("do", [Path.unlink, age, lambda path: change(path, 20)], ids=["removed", "touched", "changed"])
def test_a_build_that_is_not_whole(built: Path, name: str, do: Callable[[Path], None]) -> None:
    do(built / name)
    assert read_pack(str(built)) is None


def test_a_pack_that_was_copied_is_hashed(built: Path) -> None:
    pack = built / PACK
    age(pack)
    found = read_pack(str(built))
    assert found is not None
    size = pack.stat().st_size
    for at in (0, 20, 40, 80, size // 2, size - 1):
        change(pack, at)
        if 8 <= at < 32:  # what it knows of itself
            assert read_pack(str(built)) is not None
        else:
            assert read_pack(str(built)) is None
        change(pack, at)
        assert read_pack(str(built)) is not None


@pytest.mark.parametrize("size", [0, 7, 63, 64, 70, 1000])
def test_a_pack_that_was_cut_off(built: Path, size: int) -> None:
    os.truncate(built / PACK, size)
    assert read_pack(str(built)) is None


def test_large_files_are_not_in_it(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code is mapped, and compiled Python read by the piece."""
    monkeypatch.setattr("marine_runtime.artifact.pack.MAPPED", 1)
    monkeypatch.setattr("marine_runtime.artifact.pack.READ_WHOLE", 1)
    write_pack(str(built), read_manifest(built))
    pack = read_pack(str(built))
    assert pack is not None
    assert [item.name for item in pack.manifest.all_files() if pack.get(item.name) is not None] == []


def test_loads_read_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are there for tools, and for what is compiled again."""
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "cache"))
    marine_gen.load(GREETING).close()
    (pack,) = tmp_path.glob(f"cache/*/{PACK}")
    opened = []
    real = os.open

    def watched(path: str, *more: int) -> int:
        opened.append(str(path))
        return real(path, *more)

    monkeypatch.setattr(os, "open", watched)
    with marine_gen.load(GREETING) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    assert opened == [str(pack)]
    monkeypatch.undo()
    pack.write_bytes(b"rubbish")
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "cache"))
    with marine_gen.load(GREETING) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    assert read_pack(str(pack.parent)) is not None

"""Built directories for the nodes of a cluster: packed, unpacked once, unpacked again when damaged. Needs no Ray."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import marine_gen
import marine_runtime
from marine_runtime.config.cache_directory import CACHE_VARIABLE
from marine_runtime.errors import LoadError
from marine_runtime.ray.artifact import FOLDER, PackedBuild, pack, unpack
from tests.support.engines import guests


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portable build of one module."""
    place = tmp_path_factory.mktemp("packed") / "greeting"
    marine_gen.build(guests("greeting"), place, native=False)
    return place


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache of a node."""
    place = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(place))
    return place


def never() -> bytes:
    """No archive."""
    raise AssertionError("it is there already")


def test_a_build_is_unpacked_once(built: Path, cache: Path) -> None:
    artifact, archive = pack(built)
    assert pack(built) == (artifact, archive), "equal builds are equal bytes"
    place = unpack(artifact, lambda: archive)
    assert place == cache / FOLDER / artifact.key
    assert unpack(artifact, never) == place
    assert [item.name for item in place.parent.iterdir()] == [artifact.key]
    with marine_runtime.load(place) as service:
        assert service.call("greeting", "greeting", ["John"]) == "Hi, John"
    assert unpack(artifact, never) == place, "what loading keeps there does no harm"


def test_damage_is_mended(built: Path, cache: Path) -> None:
    artifact, archive = pack(built)
    place = unpack(artifact, lambda: archive)
    for damage in (lambda file: file.unlink(), lambda file: file.write_bytes(b"x")):
        damage(next(item for item in place.iterdir() if item.suffix == ".wasm"))
        assert unpack(artifact, lambda: archive) == place
        assert unpack(artifact, never) == place
    assert [item.name for item in place.parent.iterdir()] == [artifact.key]


def test_many_at_once_leave_one(built: Path, cache: Path) -> None:
    artifact, archive = pack(built)
    with ThreadPoolExecutor(8) as threads:
        places = set(threads.map(lambda _: unpack(artifact, lambda: archive), range(32)))
    assert len(places) == 1
    assert unpack(artifact, never) in places
    assert [item.name for item in (cache / FOLDER).iterdir()] == [artifact.key]


def test_without_a_safe_place_each_process_has_its_own(built: Path, cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    artifact, archive = pack(built)
    place = unpack(artifact, lambda: archive)
    assert cache not in place.parents
    assert (place / "manifest.json").is_file()


def test_what_is_no_build_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"has no manifest\.json"):
        pack(tmp_path)
    whole, _ = pack(built)
    assert isinstance(whole, PackedBuild)
    copy = tmp_path / "copy"
    copy.mkdir()
    for item in built.iterdir():
        if item.is_file() and item.suffix != ".wasm":
            (copy / item.name).write_bytes(item.read_bytes())
    with pytest.raises(LoadError, match=r"\.wasm` can't be read: No such file or directory; build the directory again"):
        pack(copy)


def test_ray_is_not_imported_before_it_is_used() -> None:
    import marine_runtime.ray

    assert marine_runtime.ray.TRIED
    assert "ray" not in sys.modules or "tests.ray.clusters" in sys.modules
    with pytest.raises(AttributeError, match="no attribute 'RayPool'"):
        _ = marine_runtime.ray.RayPool

"""Services of one build share what was read of it, as long as the files are the same."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import marine_gen
import marine_runtime
from marine_runtime import LoadError, Service
from marine_runtime.artifact import load as loading
from marine_runtime.artifact import shared
from tests.support.engines import guests


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return marine_gen.build(guests("greeting"), tmp_path_factory.mktemp("shared") / "built").directory


@pytest.fixture
def built(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "built", copy_function=shutil.copyfile))


def age(directory: Path) -> None:
    """Let the files be those of some time ago."""
    moment = time.time() - 60
    for file in directory.iterdir():
        os.utime(file, (moment, moment))


def refuse(*_: Any) -> Any:
    pytest.fail("it is read again")


def greet(service: Service) -> None:
    assert service.modules.greeting.greeting("x") == "Hi, x"


def test_a_second_service_reads_nothing(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(built)
    with marine_runtime.load(built) as first:
        with monkeypatch.context() as patch:
            patch.setattr(loading, "read_manifest", refuse)
            patch.setattr(loading, "_linkable", refuse)
            for place in (built, str(built), os.path.relpath(built)):
                with marine_runtime.load(place) as second:
                    greet(second)
                    assert second.config is first.config
        greet(first)


def test_a_build_is_forgotten_with_its_last_service(built: Path) -> None:
    age(built)
    first, second = marine_runtime.load(built), marine_runtime.load(built)
    first.close()
    assert shared.known_manifest(built) is not None
    second.close()
    del first, second
    assert shared.known_manifest(built) is None


def test_services_share_no_state(built: Path) -> None:
    age(built)
    with marine_runtime.load(built) as first, marine_runtime.load(built, engine="closures") as second:
        with marine_runtime.load(built) as third:
            assert (first.engine, second.engine, third.engine) == ("fused", "closures", "fused")
            third.close()
        greet(first)
        greet(second)


@pytest.mark.parametrize("settled", [True, False])
def test_files_that_were_changed_are_noticed(built: Path, *, settled: bool) -> None:
    if settled:
        age(built)
    file = built / "greeting.glue.wasm"
    with marine_runtime.load(built) as first:
        content = (built / "greeting_fused.py").read_bytes()
        (built / "greeting_fused.py").write_bytes(content.replace(b"greeting", b"Greeting", 1))  # of the same size
        with pytest.raises(LoadError, match="was changed after the build"):
            marine_runtime.load(built)
        (built / "greeting_fused.py").write_bytes(content)
        with marine_runtime.load(built) as second:
            greet(second)
        file.unlink()
        assert shared.known_manifest(built) is None
        greet(first)


def test_a_deleted_working_directory(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(LoadError, match="has no manifest"):
        marine_runtime.load(built.name)
    with marine_runtime.load(built) as service:
        greet(service)


@pytest.mark.parametrize(("fraction", "known"), [(0, False), (1, True)])
def test_file_systems_that_keep_whole_seconds(
    built: Path, monkeypatch: pytest.MonkeyPatch, fraction: int, known: bool
) -> None:
    """There a change has the time of another one for two seconds."""
    moment = time.time_ns() // 10**9 * 10**9 + fraction
    for file in built.iterdir():
        os.utime(file, ns=(moment, moment))
    monkeypatch.setattr("time.time_ns", lambda: moment + 10**9)
    with marine_runtime.load(built):
        assert (shared.known_manifest(built) is not None) == known
        monkeypatch.setattr("time.time_ns", lambda: moment + 3 * 10**9)
        assert shared.known_manifest(built) is not None


def test_young_files_are_compared_before_they_are_shared(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in the same moment may have the same time."""
    moment = time.time_ns()
    for file in built.iterdir():
        os.utime(file, ns=(moment, moment))
    with marine_runtime.load(built):
        monkeypatch.setattr(shared, "_SETTLED", 10**18)
        assert shared.known_manifest(built) is None
        monkeypatch.setattr(shared, "_SETTLED", -(10**18))
        content = (built / "greeting.it").read_bytes()
        (built / "greeting.it").write_bytes(bytes(len(content)))
        os.utime(built / "greeting.it", ns=(moment, moment))
        assert shared.known_manifest(built) is None
        (built / "greeting.it").write_bytes(content)
        os.utime(built / "greeting.it", ns=(moment, moment))
        assert shared.known_manifest(built) is not None

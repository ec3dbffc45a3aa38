"""Nodes that are not like the caller: another processor or Python compiled the build, or another version runs there."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_runtime.artifact.bytecode import read_compiled
from marine_runtime.errors import LoadError
from marine_runtime.wasm import open_runtime
from marine_runtime.wasm.module import Shape
from tests.ray.clusters import Nodes, open_pool, program
from tests.support.engines import guests


def foreign(data: bytes, suffix: str) -> bytes:
    """Compiled code as another machine writes it: machine code for s390x, marshalled code of another Python."""
    return (
        data.replace(b"x86_64-", b"s390x_-").replace(b"aarch64-", b"s390x__-")
        if suffix == ".cwasm"
        else (b"\0\0\r\n" + data[4:])
    )


@pytest.fixture(scope="module")
def built_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build that is not portable, and none of whose compiled code fits this machine."""
    place = tmp_path_factory.mktemp("elsewhere") / "greeting"
    marine_gen.build(guests("greeting"), place)
    manifest = place / "manifest.json"
    text = manifest.read_text()
    for file in place.iterdir():
        if file.suffix in (".cwasm", ".bytecode"):
            data = file.read_bytes()
            file.write_bytes(foreign(data, file.suffix))
            digests = [hashlib.sha256(item).hexdigest() for item in (data, file.read_bytes())]
            assert digests[0] != digests[1]
            assert digests[0] in text
            text = text.replace(*digests)
    manifest.write_text(text)
    assert json.loads(text)
    return place


def test_a_build_of_another_processor_and_python_is_compiled_on_the_node(cluster: Nodes, built_elsewhere: Path) -> None:
    code, bytecode = (next(built_elsewhere.glob(f"*{end}")) for end in (".cwasm", ".bytecode"))
    with pytest.raises(LoadError):
        open_runtime().deserialize(code.read_bytes(), Shape.of([], []))
    assert read_compiled(bytecode.read_bytes(), "x.py") is None
    with open_pool(built_elsewhere, host_functions=None) as pool:
        assert pool.call("greeting", "greeting", ["John"]) == "Hi, John"
        assert pool.service("x").call("greeting", "greeting", ["Jane"]) == "Hi, Jane"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ((0, 0), r"^node \w{8} has another version of marine-gen than the caller \(.*\): install the same one on both"),
        ((2, None, 3, 9), r"^node \w{8} runs Python 3\.1\d and the caller Python 3\.9: all programs of a cluster need"),
    ],
)
def test_a_node_of_another_version_is_refused(
    cluster: Nodes, lab: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[Any, ...], text: str
) -> None:
    from marine_runtime.ray.actor import VERSION

    other = tuple(VERSION[place] if item is None else item for place, item in enumerate(version))
    with open_pool(lab) as pool, open_pool(lab) as joining:
        assert pool.service("x").call("lab", "echo", [1]) == 1
        monkeypatch.setattr("marine_runtime.ray.worker.VERSION", other)
        with pytest.raises(LoadError, match=text):
            open_pool(lab)
        monkeypatch.setattr("marine_runtime.ray.sticky.VERSION", other)
        with pytest.raises(LoadError, match=text):
            joining.service("x")


def test_a_cluster_of_another_python_is_told(cluster: Nodes) -> None:
    done = program(
        cluster,
        f"""
        import ray._private.utils as utils
        from marine_runtime.errors import ConfigError
        from marine_runtime.ray import connect

        ray.shutdown()
        utils.compute_version_info = lambda: (ray.__version__, "3.9.1")
        try:
            connect({cluster.cluster.address!r})
        except ConfigError as error:
            print(error)
        """,
    )
    text = done.stdout.strip()
    assert text.startswith(f"the Ray cluster at `{cluster.cluster.address}` can't be used from here: Version mismatch")
    assert "Python: 3.9.1" in text
    assert os.linesep not in text

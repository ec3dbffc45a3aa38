"""The wheels in empty environments, and what one of them built where only the runtime is."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from marine_gen.artifact import ENGINES
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER
from tests.support.environments import Environment
from tests.support.paths import ROOT

GREETING = GUESTS_FOLDER / "greeting.wasm"
COMPILER_ONLY = ("lark", "jinja2", "click", "rich", "platformdirs", "prompt_toolkit")

RUN_BUILT = """
import importlib.util, json, sys
import marine_runtime
with marine_runtime.load(sys.argv[1]) as service:
    text = service.modules.greeting.greeting("John")
    answer = service.call_json("greeting", "greeting", '["Wasm"]')
    state = {"text": text, "json": answer, "engine": service.engine, "call_layer": service.call_layer}
state["importable"] = [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name)]
state["compiler"] = [name for name in sys.modules if name.partition(".")[0] == "marine_gen"]
state["where"] = marine_runtime.__file__
print(json.dumps(state))
"""


def packed(wheel: Path) -> tuple[set[str], Message]:
    """The files of a wheel outside of its metadata, and the metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        assert any(name.endswith("licenses/LICENSE") for name in names)
        content = archive.read(metadata).decode()
    return {name for name in names if ".dist-info/" not in name}, message_from_string(content)


def sources(folder: Path) -> set[str]:
    """The files of a package, as a wheel names them."""
    found = (path.relative_to(folder.parent).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if "__pycache__" not in name}


@pytest.mark.slow
def test_each_wheel_holds_its_package_and_nothing_else(wheel: Path, runtime_wheel: Path) -> None:
    names, metadata = packed(wheel)
    assert names == sources(ROOT / "marine_gen") | {"marine_gen/text/adapter.lark", "marine_gen/idl/interface.lark"}
    names, runtime = packed(runtime_wheel)
    assert names == sources(ROOT / "runtime" / "marine_runtime")
    assert [item for item in runtime.get_all("Requires-Dist", []) if "extra ==" not in item] == ["wasmtime>=36"]
    assert f"marine-runtime=={runtime['Version']}" in metadata.get_all("Requires-Dist", [])
    assert (metadata["Version"], metadata["Name"]) == (runtime["Version"], "marine-gen")


@pytest.mark.slow
def test_metadata_is_what_an_index_wants(distributions: Path, wheel: Path, runtime_wheel: Path) -> None:
    assert len(list(distributions.iterdir())) == 4
    check = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, distributions.iterdir())]
    if find_spec("twine"):
        done = subprocess.run(check, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for _, metadata in map(packed, (wheel, runtime_wheel)):
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata["Requires-Python"] == ">=3.11"
        assert "Typing :: Typed" in metadata.get_all("Classifier", [])
        assert metadata.get_all("Project-URL") is None, "there is no public place yet"
    assert (ROOT / "LICENSE").read_bytes() == (ROOT / "runtime" / "LICENSE").read_bytes()


@pytest.mark.slow
def test_source_distribution_carries_what_its_tests_need(distributions: Path) -> None:
    (path,) = distributions.glob("marine_gen-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        *("pyproject.toml", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
        *("runtime/pyproject.toml", "runtime/README.md", "runtime/LICENSE", "runtime/marine_runtime/__init__.py"),
        *("grammar/adapter.lark", "grammar/interface.lark", "grammar/README.md"),
        *("examples/curl_service/demo.py", "docs/index.md"),
        *("tests/conftest.py", "tests/guests/greeting.wasm", "tests/packaging/test_wheel.py", "build/README.md"),
    }
    assert wanted - names == set()
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/.cache")]


@pytest.mark.slow
def test_command_line_works_where_only_the_wheel_is(full: Environment) -> None:
    assert full.must("marine-gen", "--version").split()[-1] == version("marine-gen")
    assert full.must("marine-gen", "run", GREETING, "greeting.greeting", '["John"]') == '"Hi, John"\n'
    # Both grammars are in the wheel.
    for suffix in (".it", ".idl"):
        assert full.must("marine-gen", "check", GREETING.with_suffix(suffix)).startswith("ok: ")


@pytest.mark.slow
def test_example_builds_where_only_the_wheel_is(full: Environment) -> None:
    full.must("marine-gen", "build", EXAMPLE_FOLDER / "Config.toml", "-o", "curl_service")
    manifest = json.loads((full.work / "curl_service" / "manifest.json").read_text(encoding="utf-8"))
    assert [module["plan"]["name"] for module in manifest["modules"]] == ["local_storage", "curl", "facade"]


@pytest.mark.slow
def test_built_service_runs_without_the_compiler(full: Environment, runtime_only: Environment) -> None:
    full.must("marine-gen", "build", GREETING, "-o", "built")
    printed = runtime_only.must("python", "-c", RUN_BUILT, full.work / "built", json.dumps(COMPILER_ONLY))
    state = json.loads(printed)
    assert (state["text"], state["json"]) == ("Hi, John", '"Hi, Wasm"')
    assert (state["engine"], state["call_layer"]) == (ENGINES[0], "fast")
    assert state["importable"] == []
    assert state["compiler"] == []
    assert Path(state["where"]).is_relative_to(runtime_only.directory)

"""The wheel in an empty environment, and what it built in one that has wasmtime and nothing of the compiler."""

from __future__ import annotations

import json
import tarfile
import zipfile
from importlib.metadata import version
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


def test_wheel_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"marine_gen", "marine_runtime", f"marine_gen-{version('marine-gen')}.dist-info"}
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "marine_gen").rglob("*") if path.is_file()}
    sources |= {
        path.relative_to(ROOT / "runtime").as_posix() for path in (ROOT / "runtime").rglob("*") if path.is_file()
    }
    sources = {name for name in sources if "__pycache__" not in name}
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == sources | {"marine_gen/text/adapter.lark", "marine_gen/idl/interface.lark"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_source_distribution_carries_what_its_tests_need(distributions: Path) -> None:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        *("pyproject.toml", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
        *(
            "grammar/adapter.lark",
            "grammar/interface.lark",
            "grammar/README.md",
            "examples/curl_service/demo.py",
            "docs/index.md",
        ),
        *("tests/conftest.py", "tests/guests/greeting.wasm", "tests/packaging/test_wheel.py", "build/README.md"),
    }
    assert wanted <= names
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

"""The wheel in an empty environment, and what it built in one that has wasmtime and nothing of the compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from marine_gen.artifact import ENGINES
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER, ROOT

GREETING = GUESTS_FOLDER / "greeting.wasm"
COMPILER_ONLY = ("lark", "jinja2", "click", "rich", "platformdirs", "prompt_toolkit")

RUN_BUILT = """
import importlib.util, json, sys
import marine_runtime
with marine_runtime.load(sys.argv[1]) as service:
    text = service.modules.greeting.greeting("John")
    answer = service.call_json("greeting", "greeting", '["Wasm"]')
    state = {"text": text, "json": answer, "engine": service.engine, "backend": service.backend}
state["importable"] = [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name)]
state["compiler"] = [name for name in sys.modules if name.partition(".")[0] == "marine_gen"]
state["where"] = marine_runtime.__file__
print(json.dumps(state))
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment and a directory to work in, away from the sources."""

    directory: Path
    work: Path

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs; it sees no other Python installation."""
        program_path = self.directory / ("Scripts" if os.name == "nt" else "bin") / program
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
        command = [str(program_path), *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.work, env=variables, capture_output=True, text=True, timeout=300, check=False
        )

    def must(self, program: str, *arguments: str | Path) -> str:
        """Run a program that has to succeed; gives what it printed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def new_environment(folder: Path, packages: Sequence[str | Path], *options: str) -> Environment:
    """An environment with `packages` and what they depend on."""
    venv.create(folder / "venv", with_pip=True)
    work = folder / "work"
    work.mkdir()
    environment = Environment(folder / "venv", work)
    environment.must("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, *packages)
    return environment


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    """The wheel."""
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that had nothing before the wheel came."""
    return new_environment(tmp_path_factory.mktemp("full"), [wheel])


@pytest.fixture(scope="module")
def runtime_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and wasmtime, in the version that these tests run with."""
    environment = new_environment(tmp_path_factory.mktemp("runtime"), [f"wasmtime=={version('wasmtime')}"])
    environment.must("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", wheel)
    return environment


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
    assert packed == sources | {"marine_gen/text/adapter.lark"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_source_distribution_carries_what_its_tests_need(distributions: Path) -> None:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        *("pyproject.toml", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
        *("grammar/adapter.lark", "grammar/README.md", "examples/curl_service/demo.py", "docs/index.md"),
        *("tests/conftest.py", "tests/guests/greeting.wasm", "tests/packaging/test_wheel.py", "build/README.md"),
    }
    assert wanted <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/.cache")]


def test_command_line_works_where_only_the_wheel_is(full: Environment) -> None:
    assert full.must("marine-gen", "--version").split()[-1] == version("marine-gen")
    assert full.must("marine-gen", "run", GREETING, "greeting.greeting", '["John"]') == '"Hi, John"\n'


def test_example_builds_where_only_the_wheel_is(full: Environment) -> None:
    full.must("marine-gen", "build", EXAMPLE_FOLDER / "Config.toml", "-o", "curl_service")
    manifest = json.loads((full.work / "curl_service" / "manifest.json").read_text(encoding="utf-8"))
    assert [module["plan"]["name"] for module in manifest["modules"]] == ["local_storage", "curl", "facade"]


def test_built_service_runs_without_the_compiler(full: Environment, runtime_only: Environment) -> None:
    full.must("marine-gen", "build", GREETING, "-o", "built")
    printed = runtime_only.must("python", "-c", RUN_BUILT, full.work / "built", json.dumps(COMPILER_ONLY))
    state = json.loads(printed)
    assert (state["text"], state["json"]) == ("Hi, John", '"Hi, Wasm"')
    assert (state["engine"], state["backend"]) == (ENGINES[0], "fast")
    assert state["importable"] == []
    assert state["compiler"] == []
    assert Path(state["where"]).is_relative_to(runtime_only.directory)

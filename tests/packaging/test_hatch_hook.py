"""A project whose build compiles a service: built, installed where the compiler is not, called by a typed client."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from marine_runtime.code_cache import FOLDER
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.environments import Environment, new_environment
from tests.support.packages import mypy

PROJECT = """\
[build-system]
requires = ["hatchling", "marine-gen"]
build-backend = "hatchling.build"

[project]
name = "swamp-client"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["marine-gen"]

[tool.hatch.build.targets.wheel]
packages = ["src/swamp_client"]

[tool.hatch.build.hooks.marine-gen]
services = [{ config = "service/Config.toml", package = "src/swamp_client/swamp" }]
"""
CONFIG = """\
name = "swamp"
total_memory_limit = "Infinity"
[[module]]
name = "donkey"
load_from = "donkey.wasm"
[[module]]
name = "shrek"
load_from = "shrek.wasm"
"""
CLIENT = '''\
"""A typed client."""

from __future__ import annotations

import sys

from swamp_client import swamp


def greetings(service: swamp.SwampService, name: str) -> list[str]:
    return service.modules.shrek.greeting(name)


def main() -> None:
    with swamp.load() as service:
        print(greetings(service, "Jane"), [name for name in sys.modules if name.startswith(("marine_gen", "jinja2"))])
'''
ANSWER = "['Shrek: hi, Jane', 'Donkey: hi, Jane'] []\n"
CALL = ("python", "-c", "from swamp_client.main import main; main()")


@pytest.fixture(scope="module")
def builder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that builds projects without isolation."""
    return new_environment(tmp_path_factory.mktemp("builder"), [wheel, "hatchling>=1.27", "editables"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, as a repository that ignores what is built."""
    root = tmp_path / "project"
    package, service = root / "src" / "swamp_client", root / "service"
    for folder in (package, service):
        folder.mkdir(parents=True)
    (root / "pyproject.toml").write_text(PROJECT)
    (root / ".gitignore").write_text("/src/swamp_client/swamp/\n")
    (package / "__init__.py").write_text("")
    (package / "py.typed").write_text("")
    (package / "main.py").write_text(CLIENT)
    (service / "Config.toml").write_text(CONFIG)
    for name in ("donkey", "shrek"):
        (service / f"{name}.wasm").write_bytes((GUESTS_FOLDER / f"{name}.wasm").read_bytes())
    return root


def pip(environment: Environment, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return environment.run("python", "-m", "pip", "--disable-pip-version-check", *arguments)


def built(builder: Environment, project: Path) -> Path:
    """The wheel of the project."""
    folder = project / "dist"
    done = pip(builder, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, project)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_runs_where_the_compiler_is_not(
    builder: Environment, runtime_only: Environment, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = built(builder, project)
    assert wheel.name == "swamp_client-1.0-py3-none-any.whl"
    packed = names(wheel)
    assert {f"swamp_client/swamp/{name}" for name in ("__init__.py", "pool.py", "py.typed", "manifest.json")} <= packed
    assert not [name for name in packed if name.endswith(".cwasm")]

    cache = project / "cache"
    monkeypatch.setenv("MARINE_GEN_CACHE", str(cache))
    done = pip(runtime_only, "install", "--no-deps", "--force-reinstall", wheel)
    assert done.returncode == 0, done.stderr
    assert runtime_only.must(*CALL) == ANSWER
    kept = {path.name: path.stat().st_mtime_ns for path in (cache / FOLDER).iterdir()}
    assert len(kept) == 5
    assert runtime_only.must(*CALL) == ANSWER
    assert {path.name: path.stat().st_mtime_ns for path in (cache / FOLDER).iterdir()} == kept

    for folder in (project / "right", project / "wrong"):
        folder.mkdir()
    python = runtime_only.directory / "bin" / "python"
    (project / "right" / "client.py").write_text(CLIENT)
    assert mypy(project / "right", "--python-executable", str(python), "client.py")[0] == 0
    (project / "wrong" / "client.py").write_text(CLIENT.replace("shrek.greeting(name)", "shrek.greeting(len(name))"))
    code, output = mypy(project / "wrong", "--python-executable", str(python), "client.py")
    assert (code, output.count("error:"), "[arg-type]" in output) == (1, 1, True), output


def test_native_wheels_are_for_one_platform(builder: Environment, project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT + "native = true\n")
    wheel = built(builder, project)
    assert wheel.name.startswith("swamp_client-1.0-py3-none-")
    assert not wheel.name.endswith("-any.whl")
    assert "manylinux" not in wheel.name
    assert {"swamp_client/swamp/shrek.cwasm", "swamp_client/swamp/shrek.stub.cwasm"} <= names(wheel)


def test_editable_installation(builder: Environment, project: Path) -> None:
    done = pip(builder, "install", "--no-build-isolation", "--no-deps", "--editable", project)
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        assert "['Shrek: hi, Jane', 'Donkey: hi, Jane']" in builder.must(*CALL)
        assert (project / "src" / "swamp_client" / "swamp" / "manifest.json").is_file()
    finally:
        assert pip(builder, "uninstall", "--yes", "swamp-client").returncode == 0


def test_source_distribution_holds_the_sources_and_makes_the_same_wheel(builder: Environment, project: Path) -> None:
    program = (
        "import os, sys; from hatchling.build import build_sdist; os.chdir(sys.argv[1]); print(build_sdist('dist'))"
    )
    builder.must("python", "-c", program, project)
    (sdist,) = (project / "dist").glob("*.tar.gz")
    again = project.parent / "again"
    again.mkdir()
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(again)], check=True)
    (unpacked,) = again.iterdir()
    assert (unpacked / "service" / "shrek.wasm").is_file()
    assert not (unpacked / "src" / "swamp_client" / "swamp").exists()
    assert names(built(builder, unpacked)) == names(built(builder, project))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("services = ", "servces = ", "the table has an unknown key `servces`; did you mean `services`?"),
        ("service/Config.toml", "service/Confg.toml", "Confg.toml` can't be read: No such file or directory"),
        ("src/swamp_client/swamp", "service", "was not written by `marine-gen build`: choose another directory"),
        ("src/swamp_client/swamp", "swamp", "`swamp` is not in the wheel: it has to lie in a package that"),
        ("service/Config.toml", "service/shrek.wasm", "there is no module `donkey`"),
    ],
)
def test_mistakes_end_the_build_with_one_message(
    builder: Environment, project: Path, before: str, after: str, message: str
) -> None:
    assert before in PROJECT
    (project / "pyproject.toml").write_text(PROJECT.replace(before, after))
    program = "import os, sys; from hatchling.build import build_wheel; os.chdir(sys.argv[1]); build_wheel('dist')"
    done = builder.run("python", "-c", program, project)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("marine-gen: ")
    assert message in done.stderr
    assert not list(project.glob("dist/*.whl"))

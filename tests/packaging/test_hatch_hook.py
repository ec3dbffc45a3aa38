"""A project whose build compiles a service: built, installed where the compiler is not, called by a typed client."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from marine_runtime.artifact.cache_limit import CODE_FOLDER
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
dependencies = ["marine-runtime"]

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
def builder(full: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that builds projects without isolation. It has what `full` has, without installing that again."""
    environment = new_environment(tmp_path_factory.mktemp("builder"), ["hatchling>=1.27", "editables"])
    (environment.site_packages / "full.pth").write_text(f"{full.site_packages}\n")
    return environment


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, as a repository that ignores what is built."""
    return new_project(tmp_path / "project")


def new_project(root: Path) -> Path:
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


def built(builder: Environment, project: Path, what: str = "wheel") -> Path:
    """Build the project with hatchling: its wheel, or its source distribution (`sdist`)."""
    program = "import os, sys; from hatchling import build; os.chdir(sys.argv[1])"
    builder.must("python", "-c", f"{program}; build.build_{what}('dist')", project)
    (path,) = (project / "dist").glob("*.whl" if what == "wheel" else "*.tar.gz")
    return path


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_the_wheel_runs_where_the_compiler_is_not(
    builder: Environment, runtime_only: Environment, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = project / "dist" / "swamp_client-1.0-py3-none-any.whl"
    builder.pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", wheel.parent, project)
    packed = names(wheel)
    assert {f"swamp_client/swamp/{name}" for name in ("__init__.py", "pool.py", "py.typed", "manifest.json")} <= packed
    assert not [name for name in packed if name.endswith(".cwasm")]

    cache = project / "cache"
    monkeypatch.setenv("MARINE_GEN_CACHE", str(cache))
    runtime_only.pip("install", "--no-deps", "--force-reinstall", wheel)
    runtime_only.pip("check")
    assert runtime_only.must(*CALL) == ANSWER
    kept = {path.name: path.stat().st_mtime_ns for path in (cache / CODE_FOLDER).iterdir()}
    assert len(kept) == 5
    assert runtime_only.must(*CALL) == ANSWER
    assert {path.name: path.stat().st_mtime_ns for path in (cache / CODE_FOLDER).iterdir()} == kept

    for folder in (project / "right", project / "wrong"):
        folder.mkdir()
    python = runtime_only.python
    (project / "right" / "client.py").write_text(CLIENT)
    assert mypy(project / "right", "--python-executable", str(python), "client.py")[0] == 0
    (project / "wrong" / "client.py").write_text(CLIENT.replace("shrek.greeting(name)", "shrek.greeting(len(name))"))
    code, output = mypy(project / "wrong", "--python-executable", str(python), "client.py")
    assert (code, output.count("error:"), "[arg-type]" in output) == (1, 1, True), output


@pytest.mark.slow
def test_native_wheels_are_for_one_platform(builder: Environment, project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT + "native = true\n")
    wheel = built(builder, project)
    assert wheel.name.startswith("swamp_client-1.0-py3-none-")
    assert not wheel.name.endswith("-any.whl")
    assert "manylinux" not in wheel.name
    assert {"swamp_client/swamp/shrek.cwasm", "swamp_client/swamp/shrek.stub.cwasm"} <= names(wheel)


@pytest.mark.slow
def test_editable_installation(builder: Environment, project: Path) -> None:
    builder.pip("install", "--no-build-isolation", "--no-deps", "--editable", project)
    try:
        assert "['Shrek: hi, Jane', 'Donkey: hi, Jane']" in builder.must(*CALL)
        assert (project / "src" / "swamp_client" / "swamp" / "manifest.json").is_file()
    finally:
        builder.pip("uninstall", "--yes", "swamp-client")


@pytest.mark.slow
def test_source_distribution_holds_the_sources_and_makes_the_same_wheel(builder: Environment, project: Path) -> None:
    sdist = built(builder, project, "sdist")
    again = project.parent / "again"
    again.mkdir()
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(again)], check=True)
    (unpacked,) = again.iterdir()
    assert (unpacked / "service" / "shrek.wasm").is_file()
    assert not (unpacked / "src" / "swamp_client" / "swamp").exists()
    assert names(built(builder, unpacked)) == names(built(builder, project))


MISTAKES = [
    ("services = ", "servces = ", "the table has an unknown key `servces`; did you mean `services`?"),
    ("service/Config.toml", "service/Confg.toml", "Confg.toml` can't be read: No such file or directory"),
    ("src/swamp_client/swamp", "service", "was not written by `marine-gen build`: choose another directory"),
    ("src/swamp_client/swamp", "swamp", "`swamp` is not in the wheel: it must be inside a package that"),
    ("service/Config.toml", "service/shrek.wasm", "there is no module `donkey`"),
]
BUILD_ALL = """
import os, sys
from hatchling.build import build_wheel
for project in sys.argv[1:]:
    os.chdir(project)
    try:
        build_wheel("dist")
    except SystemExit as error:
        print("exit code", error.code, file=sys.stderr)
"""


@pytest.mark.slow
def test_mistakes_end_the_build_with_one_message(builder: Environment, tmp_path: Path) -> None:
    projects = []
    for number, (before, after, _) in enumerate(MISTAKES):
        projects.append(new_project(tmp_path / str(number)))
        assert before in PROJECT
        (projects[-1] / "pyproject.toml").write_text(PROJECT.replace(before, after))
    done = builder.run("python", "-c", BUILD_ALL, *projects)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    told = done.stderr.split("exit code 1\n")
    assert told.pop() == ""
    for project, (_, _, message), text in zip(projects, MISTAKES, told, strict=True):
        assert text.startswith("marine-gen: ")
        assert message in text
        assert not list(project.glob("dist/*.whl"))

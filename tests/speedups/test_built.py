"""The extension as a compiler of this machine makes it: the tests of this folder run with it, programs find it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from marine_runtime.wasm import speedups
from tests.speedups import builds
from tests.support.paths import ROOT
from tests.support.pytests import own_root

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent

SAY = """
import marine_gen, sys
from marine_runtime.wasm.speedups import problem
service = marine_gen.load("tests/guests/greeting.wasm")
print(type(service.modules.greeting.greeting).__name__, service.modules.greeting.greeting("John"), problem())
"""


def run(folder: Path, *command: str, **variables: str) -> str:
    path = os.pathsep.join(map(str, (folder, ROOT, ROOT / "runtime")))
    environment = {key: value for key, value in os.environ.items() if key != speedups.VARIABLE}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": path} | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tests_of_this_folder(built: Path) -> None:
    files = [str(HERE / name) for name in ("test_same_results.py", "test_calls_in_c.py")]
    command = ("-X", "dev", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    with own_root() as root:
        said = run(built, *command, PYTHONMALLOC="debug", **root)
    assert "skipped" not in said.splitlines()[-1]


def test_budgets_are_exact_on_a_processor_without_machine_code(built: Path) -> None:
    folder = ROOT / "tests" / "runtime" / "wasm"
    files = [str(folder / name) for name in ("test_budget.py", "test_memory_creator.py")]
    plugins = ("-p", "no:cacheprovider", "-p", "tests.speedups.without_machine_code")
    with own_root() as root:
        said = run(built, "-m", "pytest", "-q", *plugins, *files, **root)
    assert " passed" in said.splitlines()[-1]


def test_it_is_found_and_can_be_turned_off(built: Path) -> None:
    assert run(built, "-c", SAY) == "Call Hi, John None\n"
    off = run(built, "-c", SAY, MARINE_SPEEDUPS="0")
    assert off == "function Hi, John MARINE_SPEEDUPS=0 turns it off\n"


BROKEN = {
    "older": ("__init__.py", b"PROTOCOL = 0"),
    "newer": ("__init__.py", b"PROTOCOL = 999"),
    "for another Python": ("__init__.py", b"raise ImportError('other\\nPython')"),
    "without its library": ("__init__.py", (builds.SOURCE / "marine_speedups" / "__init__.py").read_bytes()),
    "half installed": ("__init__.py", b"from marine_speedups import Call"),
    "no Python": ("__init__.py", b"def"),
    "failing": ("__init__.py", b"1 / 0"),
    "no library": ("__init__.py", b"from marine_speedups._native import PROTOCOL"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_of_no_use_is_left_alone(tmp_path: Path, name: str) -> None:
    package = tmp_path / "marine_speedups"
    package.mkdir()
    (package / "_native.abi3.so").write_bytes(b"\x7fELF" if name == "no library" else b"")
    file, content = BROKEN[name]
    (package / file).write_bytes(content)
    said = run(tmp_path, "-c", SAY)
    assert said.count("\n") == 1
    assert said.startswith("function Hi, John it ")
    assert said.endswith(": upgrade both\n" if name in ("older", "newer") else ": install it again\n")


def test_a_package_of_this_name_without_anything() -> None:
    """As a folder is, when it is found first."""
    assert str(speedups._unusable(ModuleType("marine_speedups"))).endswith("upgrade both")

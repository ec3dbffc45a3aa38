"""The extension as a compiler of this machine makes it: the tests of this folder run with it, programs find it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marine_runtime.wasm import speedups
from tests.support.paths import ROOT

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
    said = run(built, "-X", "dev", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, PYTHONMALLOC="debug")
    assert "skipped" not in said.splitlines()[-1]


def test_it_is_found_and_can_be_turned_off(built: Path) -> None:
    assert run(built, "-c", SAY) == "Call Hi, John None\n"
    off = run(built, "-c", SAY, MARINE_SPEEDUPS="0")
    assert off == "function Hi, John MARINE_SPEEDUPS=0 turns it off\n"


@pytest.mark.parametrize("content", ["PROTOCOL = 0", "raise ImportError('other Python')"])
def test_one_of_no_use_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "marine_speedups.py").write_text(content)
    said = run(tmp_path, "-c", SAY)
    assert said.startswith("function Hi, John it ")

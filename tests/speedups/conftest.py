"""The extension, for tests in this process where it is in use, and built for those of `test_built.py` in any case."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from marine_runtime.wasm.speedups import speedups

SOURCE = Path(__file__).parents[2] / "runtime" / "speedups"


@pytest.fixture(scope="session")
def extension() -> Any:
    """The extension that this process uses."""
    found = speedups()
    if found is None:
        pytest.skip("the extension is not in use here: `make speedups`; test_built.py runs this with one of its own")
    return found


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import the extension from, compiled for this Python with every warning an error."""
    folder = tmp_path_factory.mktemp("speedups")
    shutil.copytree(SOURCE / "marine_speedups", folder / "marine_speedups")
    chosen = runpy.run_path(str(SOURCE / "wheels.py"))["compiler"]()
    compiler = shlex.split(chosen.get("CC") or os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    done = subprocess.run(
        [
            *compiler,
            *("-std=c11", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type"),
            *("-I", sysconfig.get_path("include")),
            *map(str, sorted((SOURCE / "src").glob("*.c"))),
            *("-o", str(folder / "marine_speedups" / "_native.abi3.so")),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder

"""The distributions, and environments with them. They are made once for all tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.environments import Environment, new_environment
from tests.support.paths import ROOT


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distributions, and the wheels that are made from them."""
    folder = tmp_path_factory.mktemp("dist")
    for project in (ROOT / "runtime", ROOT):
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(project)]
        environment = os.environ | {"MARINE_GEN_PUBLISHED": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    """The wheel of the compiler."""
    (path,) = distributions.glob("marine_gen-*.whl")
    return path


@pytest.fixture(scope="session")
def runtime_wheel(distributions: Path) -> Path:
    """The wheel of the runtime."""
    (path,) = distributions.glob("marine_runtime-*.whl")
    return path


@pytest.fixture(scope="session")
def full(wheel: Path, runtime_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that had nothing before the wheels came."""
    return new_environment(tmp_path_factory.mktemp("full"), [runtime_wheel, wheel])


@pytest.fixture(scope="session")
def runtime_only(runtime_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the runtime, and wasmtime in the version that these tests run with."""
    wanted = [runtime_wheel, f"wasmtime=={version('wasmtime')}"]
    return new_environment(tmp_path_factory.mktemp("runtime"), wanted)

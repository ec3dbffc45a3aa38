"""The wheel, and environments with it. They are made once for all tests of this folder."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.environments import Environment, new_environment
from tests.support.paths import ROOT


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    """The wheel."""
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that had nothing before the wheel came."""
    return new_environment(tmp_path_factory.mktemp("full"), [wheel])


@pytest.fixture(scope="session")
def runtime_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and wasmtime, in the version that these tests run with."""
    environment = new_environment(tmp_path_factory.mktemp("runtime"), [f"wasmtime=={version('wasmtime')}"])
    environment.pip("install", "--quiet", "--no-compile", "--no-deps", wheel)
    return environment

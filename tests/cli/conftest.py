"""Ways to run the command line: in this process, and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from marine_gen.cli import cli
from tests.support.engines import guest

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Runs the command line in this process; nothing may come out of it but text and an exit code."""

    def invoke(*args: str | Path, stdin: str | bytes = "") -> Result:
        result = CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def process() -> Process:
    """Runs the command line in a new process, without colours."""

    def start(*args: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "error"}
        command = [sys.executable, "-m", "marine_gen", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, **options)

    return start


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], Path]:
    """Puts a guest into a file of its name."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.wasm"
        path.write_bytes(guest(name))
        return path

    return write


@pytest.fixture
def service(tmp_path: Path) -> Callable[..., Path]:
    """Puts guests and a configuration with them into a folder; gives the configuration."""

    def write(*names: str) -> Path:
        lines = ['modules_dir = "."', 'total_memory_limit = "Infinity"']
        for name in names:
            (tmp_path / f"{name}.wasm").write_bytes(guest(name))
            lines += ["[[module]]", f'name = "{name}"']
        path = tmp_path / "service.toml"
        path.write_text("\n".join(lines))
        return path

    return write

"""Virtual environments that tests install wheels into."""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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

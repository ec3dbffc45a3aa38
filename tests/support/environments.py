"""Virtual environments that tests install wheels into."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment and a directory to work in, away from the sources."""

    directory: Path
    work: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self._program("python")

    @property
    def site_packages(self) -> Path:
        """The folder of installed packages."""
        (folder,) = self.directory.glob("**/site-packages")
        return folder

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs; it sees no other Python installation."""
        return self._run(self._program(program), *arguments)

    def pip(self, *arguments: str | Path) -> str:
        """Run pip, which has to succeed; gives what it printed. It is that of the tests: to install one takes long."""
        options = ["-m", "pip", "--disable-pip-version-check", "--python", self.python]
        done = self._run(Path(sys.executable), *options, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _program(self, name: str) -> Path:
        return self.directory / ("Scripts" if os.name == "nt" else "bin") / name

    def _run(self, program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
        command = [str(program), *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.work, env=variables, capture_output=True, text=True, timeout=300, check=False
        )

    def must(self, program: str, *arguments: str | Path) -> str:
        """Run a program that has to succeed; gives what it printed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def new_environment(folder: Path, packages: Sequence[str | Path], *options: str) -> Environment:
    """An environment with `packages` and what they depend on, and no pip; `options` are those of `pip install`."""
    venv.create(folder / "venv", with_pip=False)
    work = folder / "work"
    work.mkdir()
    environment = Environment(folder / "venv", work)
    environment.pip("install", "--quiet", "--no-compile", *options, *packages)
    return environment

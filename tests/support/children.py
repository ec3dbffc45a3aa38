"""Programs of tests in processes of their own, which import the packages of this tree."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.paths import ROOT


def run_python(*arguments: str, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    """The process of Python that was run with these arguments.

    Args:
        arguments: those of Python.
        timeout: seconds that it may take.
        variables: more variables of its environment.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])} | variables,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def lines_of(*arguments: str, timeout: float = 100, **variables: str) -> list[str]:
    """The lines that such a process prints, which has to succeed."""
    done = run_python(*arguments, timeout=timeout, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()

"""Built services as Python packages that tests import."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT


@contextmanager
def imported(directory: Path) -> Iterator[Any]:
    """The package in `directory`; it is forgotten afterwards."""
    name = directory.name
    assert name not in sys.modules
    sys.path.insert(0, str(directory.parent))
    try:
        importlib.invalidate_caches()
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(directory.parent))
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]


CACHE = str(ROOT / ".mypy_cache" / "tests")
"""Shared by all runs: the standard library and the runtime are read once."""


def mypy(folder: Path, *arguments: str, paths: Sequence[Path] = ()) -> tuple[int, str]:
    """Exit code and output of mypy, in strict mode and with no configuration, run in `folder`."""
    searched = ":".join(map(str, (ROOT / "runtime", *paths)))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", CACHE, *arguments],
        cwd=folder,
        env={"MYPYPATH": searched},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr

"""Runs of pytest that tests and tools start do not meet in a root for temporary directories."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.pytests import own_root

_STARTS = re.compile(r'"-m", "pytest"|\bpytest\.main\(')


def test_each_has_a_root_of_its_own() -> None:
    """Those with a common one remove the same old directories: one of them fails with a warning of pytest."""
    sources = {path: path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)}
    starting = {str(path.relative_to(ROOT)): text for path, text in sources.items() if _STARTS.search(text)}
    assert {"tests/security/mutants.py", "tests/speedups/checks.py"} <= starting.keys()
    assert [name for name, text in starting.items() if "own_root() as" not in text] == []


def test_its_directories_are_removed(tmp_path: Path) -> None:
    test = tmp_path / "test_one.py"
    test.write_text("def test_one(tmp_path):\n    print(f'<{tmp_path}>')\n")
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(test)]
    with own_root() as root:
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **root}, capture_output=True, text=True)
        (folder,) = root.values()
        assert Path(done.stdout.partition("<")[2].partition(">")[0]).is_relative_to(folder), done.stdout
    assert not Path(folder).exists()

"""Calls where Python's stack ends: each is right or an error, and nothing of it reaches Wasmtime."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.pools import LONG


@pytest.mark.host_side
@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_calls_and_signals_at_the_end_of_pythons_stack(engine: str) -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.support.end_of_stack", engine]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONG)
    assert (done.returncode, done.stdout.strip()) == (0, "right"), done.stderr

"""The end of a program with a pool in the middle of a call: it ends soon, and its workers with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.paths import ROOT
from tests.support.pools import KINDS, LONG, until
from tests.support.samples import sampled


def alive(pid: int) -> bool:
    """True if there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", sampled([signal.SIGINT, signal.SIGTERM, signal.SIGKILL], signal.SIGTERM.__ne__))
@pytest.mark.parametrize("kind", KINDS)
def test_a_program_ends_with_its_workers(kind: str, how: signal.Signals) -> None:
    code = f"from tests.support.pools import spin; spin({kind!r})"
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers: list[int] = []
    try:
        assert program.stdout is not None
        workers = [int(item) for item in program.stdout.readline().split()]
        assert len(workers) == (2 if kind == "processes" else 0)
        time.sleep(0.1)  # the call begins
        # As Ctrl-C does: to the whole group. The others go to the program alone.
        (os.killpg if how == signal.SIGINT else os.kill)(program.pid, how)
        _, errors = program.communicate(timeout=LONG)
        assert program.returncode == -how
        assert ("KeyboardInterrupt" in errors) == (how == signal.SIGINT)
        until(lambda: not any(map(alive, workers)))
    finally:
        program.kill()
        program.communicate()
        for pid in filter(alive, workers):
            os.kill(pid, signal.SIGKILL)

"""The threads of Wasmtime and of the runtime, in programs that fork and that block signals."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.host_side, pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX has these")]

LOAD = """
import os, signal, sys, warnings
import marine_gen
from tests.support.engines import guests
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads

def use(*names):
    with marine_gen.load(dict(guests(*names)), cache=False, call_layer=sys.argv[1]) as service:
        return service.call(names[-1], "greeting", ["x"])
"""
FORKED = """
first = use("greeting")
child = os.fork()
signal.alarm(60)  # ends one that waits for ever
if not child:
    print(first, *use("donkey", "shrek"), sep=", ", flush=True)
    grandchild = os.fork()
    if not grandchild:
        print(use("greeting"), flush=True)
        os._exit(0)
    os._exit(os.waitpid(grandchild, 0)[1])
sys.exit(os.waitpid(child, 0)[1])
"""
BLOCKED = """
with marine_gen.load(dict(guests("greeting")), cache=False, call_layer=sys.argv[1]) as service:
    service.call("greeting", "greeting", ["x"])
    assert service._store._watchdog.running
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(*sorted(signal.sigwait({number}).name for number in (signal.SIGTERM, signal.SIGUSR1)))
"""


def output(program: str, layer: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOAD + program, layer],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("layer", ["fast", "public"])
def test_a_forked_process_compiles(layer: str) -> None:
    """It waited for ever for threads that only its parent has."""
    assert output(FORKED, layer) == "Hi, x, Shrek: hi, x, Donkey: hi, x\nHi, x\n"


def test_signals_that_a_program_blocks_and_waits_for() -> None:
    """They came to another thread, and ended the process."""
    assert output(BLOCKED, "fast") == "SIGTERM SIGUSR1\n"

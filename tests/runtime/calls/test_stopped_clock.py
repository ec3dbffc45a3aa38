"""Programs that stop the clock, as tests with `freezegun` do: time limits and signals come to guests all the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.host_side, pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX has these signals")]

STOPPED = """
import os, signal, sys, time
from marine_runtime import CallTimeoutError, MountedBinary
from marine_runtime.host.mounted_binary import run
from tests.support.engines import guests, load
from tests.support.pools import ANY_ENGINE, pool

def stop(number, frame):
    raise KeyboardInterrupt

def fake(clock):
    now = clock()
    return lambda: now

signal.signal(signal.SIGALRM, stop)
service = load(guests("endless", "greeting"), "fused", "fast")
clocks = {id(clock): fake(clock) for clock in (time.monotonic, time.time, time.perf_counter)}
for module in list(sys.modules.values()):  # those of the library that `freezegun` leaves alone, too
    if module.__name__ not in ("threading", "queue", "subprocess", "selectors"):
        for name, value in list(vars(module).items()):
            if id(value) in clocks:
                setattr(module, name, clocks[id(value)])
begun = time.clock_gettime(time.CLOCK_MONOTONIC)
assert time.monotonic() == time.monotonic()
try:
    service.call("endless", "spin", timeout=0.2)
except CallTimeoutError:
    print("limit")
signal.alarm(1)
try:
    service.call("endless", "spin")
except KeyboardInterrupt:
    print("signal")
print(run("program", MountedBinary("/bin/sh", timeout=0.2), ["-c", "sleep 60"]).error)
with pool(ANY_ENGINE, "threads", workers=1) as made:
    try:
        made.call("endless", "spin", timeout=0.2)
    except CallTimeoutError:
        print("pool")
assert time.clock_gettime(time.CLOCK_MONOTONIC) - begun < 50
"""


def test_limits_and_signals() -> None:
    """The first call lasted for ever, and no signal ended it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOPPED],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said == ["limit", "signal", "the program did not end in 0.2 s; it was stopped", "pool"]

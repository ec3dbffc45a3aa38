"""Traps of guests in programs that use `faulthandler`, which wants the same signals."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.samples import sampled

PROGRAM = """
import faulthandler, sys, time
{first}
from marine_runtime.errors import TrapError
from tests.support.engines import load
from tests.support.pools import host_functions, lab
service = load(lab(), "closures", host_functions=host_functions())

def trap():
    try:
        service.call("lab", "trap", [1])
    except TrapError:
        print("trapped")

{then}
"""
CASES = {
    "enabled after the load": ("", "faulthandler.enable(); trap()"),
    "enabled between calls": ("", "trap(); faulthandler.enable(); trap()"),
    "enabled under another name": (
        "from faulthandler import enable",
        "watchdog = service._store._watchdog\nwhile watchdog.running: time.sleep(0.02)\nenable(); trap()",
    ),
    "enabled before, disabled after": ("faulthandler.enable()", "trap(); faulthandler.disable(); trap()"),
    "enabled again": ("faulthandler.enable()", "trap(); faulthandler.disable(); faulthandler.enable(); trap()"),
    "enabled by the interpreter": ("assert faulthandler.is_enabled()", "trap(); assert faulthandler.is_enabled()"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("case", sampled(CASES, list(CASES)[::2].__contains__))
def test_guests_trap_as_before(case: str) -> None:
    first, then = CASES[case]
    options = ["-X", "faulthandler"] if "interpreter" in case else []
    done = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM.format(first=first, then=then)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "trapped\n" * then.count("trap()")

"""Calls while a program is profiled, measured by coverage, or debugged."""

from __future__ import annotations

import os

import pytest

from tests.support.children import run_python
from tests.support.engines import CONFIGURATIONS
from tests.support.pools import LONG
from tests.support.samples import sampled

PROGRAM = """
import signal, sys
def watch(*event):
    return watch
{begin}
from marine_runtime import CallTimeoutError, TrapError
from tests.support.engines import load
from tests.support.pools import host_functions, lab
class StopError(BaseException):
    pass
def stop(number, frame):
    raise StopError
def ended(function, error, seconds=0, *, timeout=None):
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        service.call(*function, timeout=timeout)
    except error:
        return True
{watched}
service = load(lab(), *sys.argv[1:], host_functions=host_functions())
signal.signal(signal.SIGALRM, stop)
print(ended(("endless", "spin"), StopError, 0.1, timeout=30), ended(("endless", "spin"), StopError, 0.1))
print(ended(("lab", "trap", [1]), TrapError), ended(("endless", "spin"), CallTimeoutError, timeout=0.1))
{watched}
"""
CASES = {
    "a profiler": ("import cProfile; cProfile.Profile().enable()", ""),
    "a tracer in Python": ("sys.settrace(watch)", "assert sys.gettrace() is watch or signal.getsignal(14) is stop"),
    "a profiler in Python": (
        "sys.setprofile(watch)",
        "assert sys.getprofile() is watch or signal.getsignal(14) is stop",
    ),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX has these timers")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("configuration", sampled(CONFIGURATIONS, CONFIGURATIONS[:1].__contains__), ids=str)
def test_calls_end_as_without(case: str, configuration: object) -> None:
    """On Python 3.11 no `try` saw what a handler raised at the entry of a callback, and the guest went on."""
    begin, watched = CASES[case]
    done = run_python("-c", PROGRAM.format(begin=begin, watched=watched), *str(configuration).split("-"), timeout=LONG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\nTrue True\n", "")

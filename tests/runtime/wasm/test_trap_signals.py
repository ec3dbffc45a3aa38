"""Traps of guests in programs that use `faulthandler`, which wants the same signals, or block them."""

from __future__ import annotations

import signal
import sys

import pytest

from marine_runtime.wasm.trap_signals import trap_signals
from tests.support.children import run_python
from tests.support.engines import guests, load
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
    "blocked before the load": ("import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))", "trap()"),
    "blocked in a thread": (
        "import signal, threading; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))",
        "service.close()\ndef run():\n    global service\n"
        "    service = load(lab(), 'closures', host_functions=host_functions())\n    trap()\n"
        "thread = threading.Thread(target=run)\nthread.start()\nthread.join()",
    ),
    "blocked while idle": (
        "import signal",
        "watchdog = service._store._watchdog\nwhile watchdog.running: time.sleep(0.02)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); trap()",
    ),
    "enabled by the interpreter": ("assert faulthandler.is_enabled()", "trap(); assert faulthandler.is_enabled()"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("case", sampled(CASES, list(CASES)[::2].__contains__))
def test_guests_trap_as_before(case: str) -> None:
    first, then = CASES[case]
    options = ["-X", "faulthandler"] if "interpreter" in case else []
    done = run_python(*options, "-c", PROGRAM.format(first=first, then=then))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "trapped\n" * then.count("trap()")


OTHERS = """
import ctypes, signal, time
from marine_runtime.wasm.trap_signals import trap_signals
from tests.support.engines import guests, load

def found():
    return int.from_bytes(trap_signals()._handler(signal.SIGFPE)[:8], "little")

def call():
    while service._store._watchdog.running:
        time.sleep(0.02)
    return service.call("greeting", "greeting", ["x"])

service = load(guests("greeting"), "closures")
ours, libc = found(), ctypes.CDLL(None)
theirs = ctypes.cast(libc.labs, ctypes.c_void_p).value
libc.signal(signal.SIGFPE, ctypes.c_void_p(theirs))
print(call(), found() == theirs)
made = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: None)  # of no library, as that of a compiler just in time
libc.signal(signal.SIGFPE, made)
print(call(), found() == ctypes.cast(made, ctypes.c_void_p).value)
signal.signal(signal.SIGFPE, lambda *_: None)
print(call(), found() == ours)
signal.signal(signal.SIGFPE, signal.SIG_DFL)
print(call(), found() == ours)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_handlers_of_other_libraries_stay() -> None:
    """Virtual machines need theirs for code that works: without them, the process ended there."""
    done = run_python("-c", OTHERS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hi, x True\n" * 4, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_handlers_in_place_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most bytes of a set of signals are not written by the system, and differ from one look to the next."""
    load(guests("greeting"), "closures").close()
    signals = trap_signals()
    signals.restore()
    handler = signals._handler

    def look(number: int) -> bytes:
        whole = handler(number)
        return whole[:40] + bytes(byte ^ 1 for byte in whole[40:80]) + whole[80:]

    monkeypatch.setattr(signals, "_handler", look)
    monkeypatch.setattr(signals, "_library_of", lambda _: pytest.fail("it was looked up"))
    signals.restore()


CRASH = """
import ctypes
import faulthandler
if {before}:
    faulthandler.enable()
from tests.support.engines import guests, load
service = load(guests("greeting"), "closures")
faulthandler.enable()
ctypes.string_at(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("before", [True, False])
def test_a_crash_elsewhere(before: bool) -> None:
    """The handler from before Wasmtime reports it."""
    done = run_python("-c", CRASH.format(before=before))
    assert done.returncode == -signal.SIGSEGV
    assert ("Fatal Python error: Segmentation fault" in done.stderr) is before

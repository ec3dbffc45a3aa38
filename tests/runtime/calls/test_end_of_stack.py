"""Calls where Python's stack ends: each is right or an error, and nothing of it reaches Wasmtime."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from traceback import walk_stack
from types import FrameType

import pytest

from marine_gen import HostFunction
from marine_runtime import Service
from marine_runtime.types import Prim
from marine_runtime.wasm.traps import OUT_OF_STACK
from tests.support.alarms import BEGUN, StopError
from tests.support.engines import guests
from tests.support.pools import host_functions, lab

Serve = Callable[..., Service]


def room() -> int:
    """Frames that Python's stack has left where this is called."""
    return sys.getrecursionlimit() - len(list(walk_stack(None)))


def deep(frames: int, call: Callable[[], object]) -> object:
    return deep(frames - 1, call) if frames else call()


@pytest.mark.parametrize("way", ["service", "function"])
def test_a_host_function_at_the_end_of_pythons_stack(serve: Serve, way: str) -> None:
    """Wherever the stack ends: the function has run, or there is an error, and the service works afterwards."""
    ran: list[int] = []
    host = host_functions() | {"nap": HostFunction.of(ran.append, [Prim.U32])}
    service = serve(lab(), host_functions=host)
    if service.call_layer != "fast":
        pytest.skip("the callbacks of the binding lose what they can't handle")
    nap = partial(service.call, "lab", "nap", [7]) if way == "service" else partial(service.modules.lab.nap, 7)
    left = room()
    for frames in range(left - 60, left):
        ran.clear()
        try:
            assert deep(frames, nap) == 7
        except OUT_OF_STACK:
            pass
        else:
            assert ran == [7], frames
    assert nap() == 7


@pytest.mark.skipif(sys.platform == "win32", reason="no timers of POSIX")
def test_a_signal_at_the_end_of_pythons_stack(serve: Serve) -> None:
    """It ends a guest that spins, where neither its handler nor the runtime has a frame left."""
    service = serve(guests("endless"))
    if service.call_layer != "fast":
        pytest.skip("the callbacks of the binding lose what they can't handle")

    def stop(number: int, frame: FrameType | None) -> None:
        raise StopError

    before = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, 0)  # it may be what ends tests that hang
    try:
        left = room()
        for frames in range(left - 8, left):
            signal.setitimer(signal.ITIMER_REAL, BEGUN)
            with pytest.raises((StopError, *OUT_OF_STACK)):
                deep(frames, service.modules.endless.spin)
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)

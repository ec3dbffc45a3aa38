"""Calls where Python's stack ends, in a process of their own: what goes wrong there ends the process.

    python -m tests.support.end_of_stack ENGINE

It prints `right`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from traceback import walk_stack

import marine_gen
from marine_gen import HostFunction
from marine_runtime import Service
from marine_runtime.types import Prim
from marine_runtime.wasm.traps import OUT_OF_STACK
from tests.support.alarms import BEGUN, StopError
from tests.support.engines import guests
from tests.support.pools import host_functions, lab


def room() -> int:
    """Frames that Python's stack has left where this is called."""
    return sys.getrecursionlimit() - len(list(walk_stack(sys._getframe())))


def deep(frames: int, call: Callable[[], object]) -> object:
    """`call()`, so many frames further."""
    return deep(frames - 1, call) if frames else call()


def call_host_function(nap: Callable[[], object], ran: list[int]) -> None:
    """Wherever the stack ends: the function has run, or there is an error, and the service works afterwards."""
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


def interrupt(service: Service) -> None:
    """A signal ends a guest that spins, where neither its handler nor the runtime has a frame left."""

    def stop(*_: object) -> None:
        raise StopError

    signal.signal(signal.SIGALRM, stop)
    left, ended = room(), 0
    for frames in range(left - 8, left):
        signal.setitimer(signal.ITIMER_REAL, BEGUN)
        try:
            deep(frames, service.modules.endless.spin)
        except (StopError, *OUT_OF_STACK):
            ended += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert ended == 8


def main(engine: str) -> None:
    """Try both ways of calling, and signals."""
    ran: list[int] = []
    host = host_functions() | {"nap": HostFunction.of(ran.append, [Prim.U32])}
    with marine_gen.load(lab(), engine=engine, host_functions=host) as service:
        call_host_function(partial(service.call, "lab", "nap", [7]), ran)
        call_host_function(partial(service.modules.lab.nap, 7), ran)
    if hasattr(signal, "setitimer"):
        with marine_gen.load(guests("endless"), engine=engine) as service:
            interrupt(service)
    print("right")


if __name__ == "__main__":
    main(sys.argv[1])

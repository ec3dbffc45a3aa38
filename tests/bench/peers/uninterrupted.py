"""The default engine without interruption, to measure what interruption costs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace

import marine_gen
from marine_runtime.wasm import deadline
from marine_runtime.wasm.deadline import Attended
from tests.bench.model import Case
from tests.bench.peers.base import Contender, NotMeasuredError, contender
from tests.bench.peers.engines import OURS, public_call
from tests.bench.peers.floors import FLOOR

_STACK = (1 << 21) + (1 << 16)
"""Bytes of stack that no other service has, so that this one has a clock of its own."""


@dataclass(frozen=True, slots=True)
class Uninterrupted:
    """Short calls that no signal can end: nothing attends to the service, and no thread of the runtime exists."""

    name: str = "not interruptible"
    about: str = f"{FLOOR}engine `fused` without the thread by which signals end calls"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        work = case.work
        if case.kind != "call" or case.crossing or case.name not in ("greeting", "scalar"):
            raise NotMeasuredError("measures the shortest calls only")
        service = stack.enter_context(marine_gen.load(dict(work.modules), engine=OURS, max_wasm_stack=_STACK))
        clock = service._store._watchdog

        def attend(item: Attended) -> None:
            pass

        clock.attend = attend  # type: ignore[method-assign]
        stack.callback(delattr, clock, "attend")
        made = contender(public_call(service, work), work.per)

        def watch(calls: int) -> int:
            while any(clock.running for clock in deadline._clocks):  # the thread of the peer before
                time.sleep(0.01)
            return made.watch(calls)

        return replace(made, watch=watch)

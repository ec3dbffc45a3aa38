"""Lower bounds: an empty call through the fast call layer, plain Wasm-to-Wasm calls, and copies of memory."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import marine_gen
from tests.bench.model import Case
from tests.bench.modules import empty
from tests.bench.peers.base import Contender, NotMeasuredError, contender

FLOOR = "floor: "
"""The beginning of each description."""

SMALLEST = 2**16
"""Below so many bytes, the call of `memcpy` from Python takes longer than the copy."""


@dataclass(frozen=True, slots=True)
class EmptyCall:
    """A function without parameters and results, on the engine `fused`."""

    name: str = "empty call"
    about: str = f"{FLOOR}a call from Python of a function that takes and does nothing, engine `fused`"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if case.work.shape not in ("greeting", "scalar") or case.kind != "call" or case.crossing:
            raise NotMeasuredError("a floor of the shortest calls only")
        service = stack.enter_context(marine_gen.load({"empty": empty()}))
        made = contender(service.modules["empty"]["nothing"])
        return Contender(made.watch, case.work.expected, 1)


@dataclass(frozen=True, slots=True)
class PlainCall:
    """The work of both guests in one module: blocks, the call, the release, and no border between modules."""

    name: str = "plain Wasm call"
    about: str = f"{FLOOR}the work of both guests inside one module, without a border and its copies"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if not case.crossing or case.work.function != "call_many":
            raise NotMeasuredError("a floor of strings from module to module only")
        service = stack.enter_context(marine_gen.load(dict(case.work.modules)))
        return contender(partial(service.modules[case.work.module]["plain"], *case.work.arguments), case.work.per)


@dataclass(frozen=True, slots=True)
class Copies:
    """Two copies of the bytes: there and back."""

    name: str = "two memcpy"
    about: str = f"{FLOOR}the bytes copied there and back with `memcpy`"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        data = case.work.arguments[-1] if case.work.arguments else None
        if case.kind != "call" or not isinstance(data, (str, bytes)) or len(data) < SMALLEST:
            raise NotMeasuredError("a floor of long strings and bytes only")
        content = data.encode() if isinstance(data, str) else data
        here, there = ctypes.create_string_buffer(content), ctypes.create_string_buffer(len(content))
        size = len(content)

        def copy() -> None:
            ctypes.memmove(there, here, size)
            ctypes.memmove(here, there, size)

        made = contender(copy)
        return Contender(made.watch, case.work.expected)

"""Peers: named ways to do the work of a case, made ready to be timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from marine_gen.bench import Stopwatch, time_calls
from tests.bench.model import Case, Work

_LONG_ENOUGH = 1e9  # nanoseconds


class NotMeasuredError(Exception):
    """A peer can't do a case, or is not there; the text says why, for the report."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer in a case, ready.

    Attributes:
        watch: makes calls and gives their nanoseconds, or the bytes that they left in memory.
        result: the plain result of one call, None when the work has none.
        per: how many pieces of work one call does.
    """

    watch: Stopwatch
    result: Any = None
    per: int = 1


class Peer(Protocol):
    """A way to run services or modules."""

    @property
    def name(self) -> str:
        """As results and tables show it."""

    @property
    def about(self) -> str:
        """One sentence: what it is, with versions."""

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """Get ready for a case; what has to be closed goes onto the stack.

        Raises:
            NotMeasuredError: the peer can't do that.
        """


def sloped(long: Contender, short: Contender) -> Contender:
    """The time of one round of a loop inside guests: that of a long loop without that of a short one.

    The rest is the time of entering the loop, which differs between peers.

    Its stopwatch raises NotMeasuredError when the long loop takes a second, and yet no longer than the short one.
    """

    def watch(calls: int) -> int:
        whole = long.watch(calls)
        found = whole - short.watch(calls)
        if found <= 0 and whole >= _LONG_ENOUGH:
            raise NotMeasuredError("a round of the loop takes less than what the time of entering it varies by")
        return max(found, 1)

    return Contender(watch, long.result, long.per - short.per)


def least_loops(work: Work, known: Mapping[str, int], others: int) -> int:
    """The least number of repetitions of a call between modules: bytes by their number, others by their shape."""
    if work.shape == "bytes":
        return max(64, 2**18 // max(len(work.arguments[-1]), 1))
    return known.get(work.shape, others)


def no_result(call: Callable[[], Any]) -> None:
    """Make a call whose result is not compared."""
    call()


def contender(call: Callable[[], Any], per: int = 1) -> Contender:
    """A callable of this process, called once for its result."""
    return Contender(partial(time_calls, call), call(), per)


def of_size(size: int) -> Contender:
    """Something of so many bytes."""
    return Contender(lambda calls: calls * size)

"""Times callables against each other.

Candidates take turns, round by round, so that a slow moment of the machine hits all of them; the order turns with
the rounds. Garbage collection is off while a sample is taken. A sample is one stretch of calls that is long enough for
the clock, and its value is the time of one call. What a call means, and on which engine it runs, is not known here.

Something that is not a callable of this process is timed by a stopwatch of its own: `take_turns` takes those.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from statistics import median
from time import perf_counter_ns
from typing import Any

_MAX_CALLS = 10_000_000

Stopwatch = Callable[[int], int]
"""Makes so many calls in a row and gives the nanoseconds that they took together."""


class Sampled:
    """Samples, one number per round."""

    __slots__ = ()
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle sample."""
        return median(self.samples)

    @property
    def minimum(self) -> float:
        """The best sample."""
        return min(self.samples)


@dataclass(frozen=True, slots=True)
class Timing(Sampled):
    """The measurements of one candidate.

    Attributes:
        samples: nanoseconds for one call.
        calls: the number of calls in one sample.
    """

    name: str
    samples: tuple[float, ...]
    calls: int

    def speedup_over(self, other: Timing) -> float:
        """The factor by which this is faster than `other`, by medians."""
        return other.median / self.median

    def __str__(self) -> str:
        return f"{self.name}: median {format_time(self.median)}, minimum {format_time(self.minimum)}"


def format_time(nanoseconds: float) -> str:
    """A duration with three significant digits and a unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{_three_digits(nanoseconds / size)} {unit}"
    return f"{_three_digits(nanoseconds)} ns"


def compare(
    candidates: Mapping[str, Callable[[], Any]],
    *,
    rounds: int = 7,
    min_time: float = 0.05,
    per: int | Mapping[str, int] = 1,
) -> list[Timing]:
    """Time every candidate, in turns.

    Args:
        candidates: the functions to call, by name.
        rounds: samples of each candidate.
        min_time: seconds that one sample takes at least.
        per: divide times by this, for candidates that do their work so many times per call; one number for all, or
            one for each of them.

    Raises:
        ValueError: a number is out of range. Whatever a candidate raises goes through.
    """
    watches = {name: partial(time_calls, candidate) for name, candidate in candidates.items()}
    return take_turns(watches, rounds=rounds, min_time=min_time, per=per)


def take_turns(
    watches: Mapping[str, Stopwatch], *, rounds: int = 7, min_time: float = 0.05, per: int | Mapping[str, int] = 1
) -> list[Timing]:
    """As `compare`, for candidates with a stopwatch of their own, such as calls in another process.

    Raises:
        ValueError: a number is out of range. Whatever a stopwatch raises goes through.
    """
    divisors = {name: per if isinstance(per, int) else per[name] for name in watches}
    smallest = per if isinstance(per, int) else min(per.values(), default=1)
    if rounds < 1 or smallest < 1 or not 0 <= min_time < float("inf"):
        raise ValueError("rounds and per must be at least 1, and min_time a number of seconds")
    calls = {name: _calibrate(watch, min_time) for name, watch in watches.items()}
    samples: dict[str, list[float]] = {name: [] for name in watches}
    order = list(watches)
    for _ in range(rounds):
        for name in order:
            elapsed = watches[name](calls[name])
            samples[name].append(max(elapsed, 1) / calls[name] / divisors[name])
        order = order[1:] + order[:1]
    return [Timing(name, tuple(taken), calls[name]) for name, taken in samples.items()]


def _calibrate(watch: Stopwatch, min_time: float) -> int:
    """The number of calls that take at least `min_time`; warms up what is timed on the way."""
    wanted = min_time * 1e9
    calls = 1
    while True:
        elapsed = max(watch(calls), 1)
        if elapsed >= wanted or calls >= _MAX_CALLS:
            return calls
        # Aim a little further than needed, and never jump far from a first call that was slow or very quick.
        calls = min(max(calls + 1, int(calls * min(wanted / elapsed * 1.1, 10))), _MAX_CALLS)


def time_calls(candidate: Callable[[], Any], calls: int) -> int:
    """Nanoseconds for `calls` calls in a row, without garbage collection."""
    collecting = gc.isenabled()
    gc.collect(0)
    gc.disable()
    try:
        start = perf_counter_ns()
        for _ in repeat(None, calls):
            candidate()
        return perf_counter_ns() - start
    finally:
        if collecting:
            gc.enable()


def _three_digits(number: float) -> str:
    decimals = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{decimals}f}"

"""Measuring calls: comparison of several ways to do the same thing, in one process.

`measure` times callables against each other, `candidates` opens a service on every engine, `machine` says on what.
Nothing here decides what is fast enough.
"""

from marine_gen.bench.candidates import BASELINE, PUBLIC_BASELINE, Candidate, open_candidates
from marine_gen.bench.machine import Machine, describe_machine
from marine_gen.bench.measure import Stopwatch, Timing, compare, take_turns, time_calls

__all__ = [
    "BASELINE",
    "PUBLIC_BASELINE",
    "Candidate",
    "Machine",
    "Stopwatch",
    "Timing",
    "compare",
    "describe_machine",
    "open_candidates",
    "take_turns",
    "time_calls",
]

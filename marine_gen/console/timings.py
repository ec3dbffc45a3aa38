"""The table of what `bench` measured, on the command line and in the interactive loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marine_gen.console.output import write_table

if TYPE_CHECKING:
    from marine_gen.bench import Timing


def show_timings(timings: Sequence[Timing]) -> None:
    """Print a table of the measurements."""
    from marine_gen.bench.measure import format_time

    columns = ("engine", "median", "minimum", "× public interpreter", "× fast interpreter")
    rows = []
    for timing in timings:
        speedups = [f"{ratio:.2f}" for ratio in ratios(timing, timings)]
        rows.append((timing.name, format_time(timing.median), format_time(timing.minimum), *speedups))
    write_table(columns, rows, numbers=columns[1:])


def ratios(timing: Timing, timings: Sequence[Timing]) -> tuple[float, float]:
    """The speedup of one of `timings` over the interpreter, on the public and on the fast call layer."""
    from marine_gen.bench import BASELINE, PUBLIC_BASELINE

    by_name = {item.name: item for item in timings}
    return timing.speedup_over(by_name[PUBLIC_BASELINE]), timing.speedup_over(by_name[BASELINE])

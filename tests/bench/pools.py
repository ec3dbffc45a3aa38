"""Throughput of pools beside one service, for calls of about 10 and 100 µs: `python -m tests.bench.pools`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import marine_gen
from marine_gen.bench.pool import throughput
from tests.bench.measured import keep
from tests.support.engines import guests

CALLS = {"100 µs": '[2700, "John"]', "10 µs": '[240, "John"]'}
"""Arguments of `bench_pure.plain`, by the time that a call takes."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each way to call."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pools", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--keep", action="store_true", help="write the figures down for docs/concurrency.md")
    given = parser.parse_args(arguments)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        marine_gen.build(guests("bench_effector", "bench_pure"), Path(folder) / "bench")
        for length, row in CALLS.items():
            options = {"workers": 2, "calls": given.calls, "rounds": given.rounds}
            for way, rate in throughput(f"{folder}/bench", "bench_pure", "plain", row, **options):
                if rate:
                    found.setdefault(length, {})[way] = round(rate)
                    print(f"{length}: {way} {rate:,.0f} calls/s", flush=True)
    if given.keep:
        keep("pools", found)


if __name__ == "__main__":
    main()

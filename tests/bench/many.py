"""Many services of one build in one process: `python -m tests.bench.many`.

A process for each number of living services loads, calls and closes one more of them, in turns with the others, and
says what each living one takes of memory and mappings. A process that is given a build and a number does so:

    python -m tests.bench.many --build BUILT --living 1000
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import process_time_ns

import marine_gen
import marine_runtime
from tests.bench.measured import keep
from tests.support.engines import guests
from tests.support.memory_use import mappings, resident
from tests.support.paths import ROOT

COUNTS = (10, 100, 1000, 10_000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each number of services."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.many", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--keep", action="store_true", help="write the figures down for docs/built-directories.md")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    parser.add_argument("--living", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.build:
        _live(given.build, given.living)
        return
    figures = curve(given.counts, given.rounds)
    for count, item in figures.items():
        print(f"{count}: load {item['load']:.2f} ×, {item['resident']:.1f} KiB, {item['mappings']:.2f} mappings each")
    if given.keep:
        keep("many", figures)


def curve(counts: Sequence[int], rounds: int) -> dict[str, dict[str, float]]:
    """By number of services: the time of a load beside the first number, KiB of memory and mappings for each."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        built = marine_gen.build(guests("greeting"), Path(folder) / "built").directory
        processes = {count: stack.enter_context(_process(built, count)) for count in counts}
        taken = {count: [float(word) for word in _line(process)] for count, process in processes.items()}
        times: dict[int, list[int]] = {count: [] for count in counts}
        for _ in range(rounds):
            for count, process in processes.items():
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
                times[count].append(int(_line(process)[0]))
    first = times[counts[0]]
    return {
        str(count): {
            "load": median(mine / base for mine, base in zip(times[count], first, strict=True)),
            "resident": taken[count][0],
            "mappings": taken[count][1],
        }
        for count in counts
    }


def _process(built: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.many", "--build", str(built), "--living", str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
    )


def _line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    words = process.stdout.readline().split()
    if not words:
        raise RuntimeError(f"a process ended with status {process.wait()}")
    return words


def _live(built: str, count: int) -> None:
    def opened() -> marine_runtime.Service:
        service = marine_runtime.load(built)
        service.call("greeting", "greeting", ["John"])
        return service

    services = [opened() for _ in range(3)]
    gc.collect()
    memory, mapped = resident(), mappings()
    services += [opened() for _ in range(count)]
    gc.collect()
    print((resident() - memory) / count / 1024, (mappings() - mapped) / count, flush=True)
    gc.freeze()
    for _ in sys.stdin:
        began = process_time_ns()
        for _ in range(20):
            opened().close()
        print(process_time_ns() - began, flush=True)


if __name__ == "__main__":
    main()

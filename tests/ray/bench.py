"""Pools on Ray, measured on a cluster of two nodes of this machine: `make ray-bench`.

Everything is a ratio within one run, in turns: short calls beside those of actors without a pool, one node beside two,
an actor with an instance beside an empty one. Work that scales is simulated: a host function that sleeps, as two nodes
of one machine have no more processors than one. `--keep` writes the figures of docs/cluster.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import marine_gen
import marine_runtime
from tests.bench.measured import keep
from tests.ray.clusters import LONG, Nodes, open_pool, two_nodes
from tests.support import pools
from tests.support.engines import guests
from tests.support.paths import ROOT

SHORT, LONGER = [240, "John"], [2700, "John"]
"""Arguments of `bench_pure.plain`: about 10 and 100 µs."""

NAP = 10
"""Milliseconds that simulated work sleeps."""


BARS = {"calls": 5.0, "nodes": 1.8, "start": 1.3}
"""Ratios that are asked for: of calls and of nodes at least, of starts at most."""

Figures = dict[str, dict[str, float]]
"""A ratio and its bar, or MiB of memory, by what was measured."""


class Naive:
    """An actor as one writes it at first: a service, and a method that calls it."""

    def __init__(self, directory: str) -> None:
        self._service = marine_runtime.load(directory)

    def call(self, *args: Any) -> Any:
        """A call."""
        return self._service.call(*args)


class Bare:
    """An actor that does nothing."""

    def pid(self) -> int:
        """Its process."""
        return os.getpid()


def seconds(work: Callable[[], Any]) -> float:
    """The time that it takes."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def processor(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Proportional memory of a process, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def short_calls(built: Path, calls: int, rounds: int) -> Figures:
    """Calls one by one from two actors, and by `submit` and `map` to a pool of two."""
    import ray

    found: Figures = {}
    naive = [ray.remote(Naive).options(num_cpus=0).remote(str(built)) for _ in range(2)]
    with open_pool(built, workers=2, host_functions=None) as pool:
        for row, micros in ((SHORT, 10), (LONGER, 100)):
            call = ("bench_pure", "plain", row)

            def alone(call: Any = call) -> None:
                ray.get([naive[number % 2].call.remote(*call) for number in range(calls)], timeout=LONG)

            def pooled(call: Any = call) -> None:
                for future in [pool.submit(*call) for _ in range(calls)]:
                    future.result(LONG)

            def chunks(call: Any = call) -> None:
                pool.map("bench_pure", "plain", [call[2]] * calls)

            for work in (alone, pooled, chunks):
                work()
            rates = [[calls / seconds(work) for work in (alone, pooled, chunks)] for _ in range(rounds)]
            first, second, third = (statistics.median(column) for column in zip(*rates, strict=True))
            by_submit = statistics.median(row[1] / row[0] for row in rates)
            by_map = statistics.median(row[2] / row[0] for row in rates)
            print(
                f"calls of {micros} µs: actors {first:,.0f}/s; submit {second:,.0f}/s, {by_submit:.1f} ×; "
                f"map {third:,.0f}/s, {by_map:.1f} ×   (bar: {BARS['calls']:g} ×)",
                flush=True,
            )
            for way, ratio in (("submit", by_submit), ("map", by_map)):
                found[f"{micros} µs, {way}"] = {"ratio": round(ratio, 2), "bar": BARS["calls"]}
    for actor in naive:
        ray.kill(actor)
    return found


def scaling(lab: Path, calls: int, rounds: int) -> Figures:
    """Calls that sleep, on one node and on two, two workers each."""
    with open_pool(lab, workers=2, resources={"node-first": 1}) as one:
        assert len({item.node for item in one.actors()}) == 1
        with open_pool(lab, workers=4, num_cpus=0.1) as two:  # Ray spreads what reserves some processor
            spread = sorted(item.node for item in two.actors())

            def run(pool: Any) -> Callable[[], Any]:
                def work() -> None:
                    for future in [pool.submit("lab", "nap", [NAP]) for _ in range(calls)]:
                        future.result(LONG)

                return work

            for pool in (one, two):
                run(pool)()
            ratios = [seconds(run(one)) / seconds(run(two)) for _ in range(rounds)]
            ratio = statistics.median(ratios)
            each = "+".join(str(spread.count(node)) for node in sorted(set(spread)))
            print(
                f"calls that sleep {NAP} ms: {each} workers on two nodes {ratio:.2f} × "
                f"2 workers on one   (bar: {BARS['nodes']:g} ×)",
                flush=True,
            )
            return {"two nodes": {"ratio": round(ratio, 2), "bar": BARS["nodes"]}}


def starting(built: Path, rounds: int) -> Figures:
    """Actors of their own process each: empty ones, and those with an instance.

    On a busy machine the seconds that pass say little, so those of the processor are counted as well: of the actor and
    of this process.
    """
    import ray

    empty = ray.remote(Bare).options(num_cpus=0, max_restarts=0)
    rows = []
    with open_pool(built, host_functions=None) as pool:  # the node has the build then, as for all workers but the first
        for _ in range(rounds + 1):
            before = processor(os.getpid())
            begin = perf_counter()
            bare = empty.remote()
            pid = ray.get(bare.pid.remote(), timeout=LONG)
            row = [perf_counter() - begin, processor(pid) + processor(os.getpid()) - before, memory(pid)]
            ray.kill(bare)
            before = processor(os.getpid())
            begin = perf_counter()
            with open_pool(built, host_functions=None) as made:
                took = perf_counter() - begin
                pid = made.actors()[0].pid
                row += [took, processor(pid) + processor(os.getpid()) - before]
                made.call("bench_pure", "plain", SHORT)
                row.append(memory(pid))
            rows.append(row)
        assert pool.call("bench_pure", "plain", SHORT)
    # The first ones may have found processes that Ray had started before anybody asked.
    wall, spent, held, own_wall, own_spent, own_held = (list(column) for column in zip(*rows[1:], strict=True))
    found: Figures = {}
    for what, mine, others in (("time", own_wall, wall), ("processor", own_spent, spent)):
        ratio = statistics.median(own / bare for own, bare in zip(mine, others, strict=True))
        print(
            f"start of a worker, {what}: {statistics.median(mine):.2f} s, of an empty actor "
            f"{statistics.median(others):.2f} s, {ratio:.2f} ×   (bar: {BARS['start']:g} ×)",
            flush=True,
        )
        found[f"start, {what}"] = {"ratio": round(ratio, 2), "bar": BARS["start"]}
    worker, bare_actor = statistics.median(own_held), statistics.median(held)
    print(f"memory of a worker: {worker:.0f} MiB, of an empty actor {bare_actor:.0f} MiB", flush=True)
    return found | {"memory": {"worker": round(worker), "empty actor": round(bare_actor)}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each measurement, and write the figures down if asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.ray.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--keep", action="store_true", help="write the figures down for docs/cluster.md")
    given = parser.parse_args(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # actors would compile all modules
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "runtime")])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        marine_gen.build(pools.lab(), folder / "lab", native=False)
        marine_gen.build(guests("bench_effector", "bench_pure"), folder / "bench", native=False)
        (folder / "nodes").mkdir()
        with two_nodes(folder / "nodes") as nodes:
            assert isinstance(nodes, Nodes)
            found = short_calls(folder / "bench", given.calls, given.rounds)
            found |= scaling(folder / "lab", given.calls // 5, given.rounds)
            found |= starting(folder / "bench", given.rounds)
    if given.keep:
        keep("cluster", found)


if __name__ == "__main__":
    sys.exit(main())

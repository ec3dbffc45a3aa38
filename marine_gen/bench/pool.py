"""Throughput of one service and of pools: `python -m marine_gen.bench.pool TARGET MODULE.FUNCTION JSON`.

Many equal calls are made, by `Service.call`, and by `submit` and `map` on pools of threads and of processes. What is
timed is from the first call to the last result, with all workers loaded; the time to load them is given apart.
`measure` compares single calls between engines.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from marine_gen.artifact import load
from marine_gen.bench.candidates import public_arguments
from marine_gen.bench.machine import describe_machine
from marine_gen.bench.measure import format_time
from marine_runtime import MarineError
from marine_runtime.pool import ServicePool


def throughput(
    target: str, module: str, function: str, arguments: str, *, workers: int, calls: int, rounds: int
) -> Iterator[tuple[str, float]]:
    """Name and calls per second of each way, the single service first; a line about starting has 0.

    Raises:
        MarineError: as loading and calling do.
    """
    with load(target) as service:
        row = public_arguments(service, module, function, arguments)
        yield "one service", _rate(lambda: [service.call(module, function, row) for _ in range(calls)], calls, rounds)
    for kind in ("threads", "processes"):
        start = perf_counter()
        with ServicePool(partial(load, target), workers=workers, kind=kind) as pool:
            yield f"{workers} {kind} loaded in {format_time((perf_counter() - start) * 1e9)}", 0
            yield (
                f"{workers} {kind}, submit",
                _rate(partial(_submit, pool, module, function, row, calls), calls, rounds),
            )
            rows = [row] * calls
            yield f"{workers} {kind}, map", _rate(partial(pool.map, module, function, rows), calls, rounds)


def _submit(pool: ServicePool, module: str, function: str, row: list[Any], calls: int) -> None:
    futures = [pool.submit(module, function, row) for _ in range(calls)]
    for future in futures:
        future.result()


def _rate(work: Callable[[], Any], calls: int, rounds: int) -> float:
    """Calls per second in the middle round, after one that does not count."""
    work()
    times = []
    for _ in range(rounds):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return calls / median(times)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per way; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m marine_gen.bench.pool", description="Throughput of pools.")
    parser.add_argument("target", help="what marine_gen.load takes: a .wasm file, a .toml file or a directory")
    parser.add_argument("function", metavar="MODULE.FUNCTION")
    parser.add_argument("arguments", metavar="JSON", nargs="?", default="[]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    module, _, function = given.function.rpartition(".")
    if not module or min(given.workers, given.calls, given.rounds) < 1:
        parser.error("the function is MODULE.FUNCTION, and numbers are at least 1")
    single = 0.0
    options = {"workers": given.workers, "calls": given.calls, "rounds": given.rounds}
    try:
        for name, rate in throughput(given.target, module, function, given.arguments, **options):
            single = single or rate
            print(f"{name:<28} {rate:>10,.0f} calls/s  {rate / single:>5.2f} ×" if rate else name, flush=True)
    except MarineError as error:
        parser.exit(1, f"error: {error}\n")
    print(describe_machine())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

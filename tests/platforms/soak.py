"""A million calls with faults among them, on one service and on a pool of each kind, with a report.

    python -m tests.platforms.soak [--calls N]

One call in a hundred goes wrong: the guest traps or spins beyond its time limit, a host function meets a full disk or
a closed pipe, arguments do not fit, and in pools of processes a hundred workers are killed. The exit code is 1 when a
call was answered never or twice, memory or descriptors or threads grew, or a process is left. MARINE_GEN_SOAK_CALLS
bounds the calls of each of the three.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from marine_gen import HostFunction
from marine_runtime.errors import ArgumentError, TrapError
from marine_runtime.pool import CallTimeoutError, ServicePool, WorkerDiedError
from marine_runtime.pool.processes import ProcessWorker
from marine_runtime.types import Prim
from tests.support import pools

CALLS, FAULTS, KILLED = 1_000_000, 100, 100
"""Calls of each run; one in so many goes wrong; workers that are killed among them."""

WAITING = 256  # calls of a pool that wait for their answers
GROWTH = 32 << 20
"""Bytes that a process may grow by between the first fifth and the end: pages of the allocator, statistics."""

_LIMIT = 0.02  # seconds of a call that spins
_SELDOM = 500  # faults of which one takes that long

Answered = Callable[[int], None]


def blow(number: int) -> None:
    """Meet a full disk, or with 1 a closed pipe."""
    if number == 1:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            os.write(writing, b"x")
        finally:
            os.close(writing)
    with open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")


def host_functions() -> Mapping[str, HostFunction]:
    """The imports of the service."""
    return pools.host_functions() | {"blow": HostFunction.of(blow, [Prim.U32])}


def memory() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held() -> Counter[str]:
    """Descriptors, threads and children of this process."""
    own = Path("/proc/self")
    children: list[str] = []
    for task in (own / "task").iterdir():
        with suppress(OSError):  # a thread that ends
            children += (task / "children").read_text().split()
    return Counter(
        descriptors=len(list((own / "fd").iterdir())),
        threads=len(list((own / "task").iterdir())),
        processes=len(children),
    )


class Faults:
    """The calls of one run: most are right, some go wrong in turn."""

    def __init__(self, calls: int) -> None:
        self._chance = random.Random(calls)
        self.ways: Counter[str] = Counter()

    def call(self, number: int) -> tuple[str, tuple[Any, ...], type[BaseException] | None, dict[str, Any]]:
        """A call: what it tries, its words, the error that it has to end with, and its options."""
        if number % FAULTS != FAULTS - 1:
            call = ("greeting", "greeting", [str(number)]) if number % 3 else ("lab", "echo", [number])
            return "right", call, None, {}
        fault = self._chance.choice(["trap", "full disk", "closed pipe", "argument"])
        if number // FAULTS % _SELDOM == 0:
            fault = "time-out"
        calls: dict[str, tuple[tuple[Any, ...], type[BaseException], dict[str, Any]]] = {
            "trap": (("lab", "trap", [0]), TrapError, {}),
            "full disk": (("lab", "blow", [0]), OSError, {}),
            "closed pipe": (("lab", "blow", [1]), BrokenPipeError, {}),
            "argument": (("greeting", "greeting", [number]), ArgumentError, {}),
            "time-out": (("endless", "spin", []), CallTimeoutError, {"timeout": _LIMIT}),
        }
        return fault, *calls[fault]


def is_right(what: tuple[Any, ...], wanted: type[BaseException] | None, found: Any) -> bool:
    """True if a call ended as it has to."""
    if wanted is not None:
        return isinstance(found, wanted)
    return bool(found == (f"Hi, {what[2][0]}" if what[0] == "greeting" else what[2][0]))


def on_service(calls: int, answered: Answered, halfway: Callable[[int], None]) -> Counter[str]:
    """The calls, on one service."""
    faults = Faults(calls)
    with pools.factory(pools.ANY_ENGINE)(host_functions=host_functions()) as service:
        for number in range(calls):
            halfway(number)
            way, what, wanted, options = faults.call(number)
            try:
                found: Any = service.call(*what, **options)
            except Exception as error:
                found = error
            assert is_right(what, wanted, found), (what, found)
            answered(number)
            faults.ways[way] += 1
    return faults.ways


def on_pool(kind: str, calls: int, answered: Answered, halfway: Callable[[int], None]) -> Counter[str]:
    """The calls, on a pool."""
    faults, waiting = Faults(calls), deque[tuple[Future[Any], str, tuple[Any, ...], Any]]()
    kills = min(KILLED, calls // 2_000) if kind == "processes" else 0
    chance = random.Random(kind)

    def finish() -> None:
        future, way, what, wanted = waiting.popleft()
        found = future.exception(10 * pools.LONG) or future.result()
        if isinstance(found, WorkerDiedError):
            assert kills, found
            way = "on a killed worker"
        else:
            assert is_right(what, wanted, found), (what, found)
        faults.ways[way] += 1

    def note(number: int, _: Future[Any]) -> None:
        answered(number)

    factory = pools.factory(pools.ANY_ENGINE)
    with ServicePool(factory, kind=kind, host_functions=host_functions, workers=2, queue=2 * WAITING) as made:
        for number in range(calls):
            halfway(number)
            if kills and number % (calls // kills) == calls // kills // 2:
                victim = chance.choice([item for item in made._workers.members if isinstance(item, ProcessWorker)])
                if victim.pid is not None:
                    os.kill(victim.pid, signal.SIGKILL)
                    faults.ways["killed workers"] += 1
            way, what, wanted, options = faults.call(number)
            try:
                future = made.submit(*what, **options)
            except ArgumentError:  # refused at once
                if wanted is not ArgumentError:
                    raise
                answered(number)
                faults.ways[way] += 1
                continue
            future.add_done_callback(partial(note, number))
            waiting.append((future, way, what, wanted))
            while len(waiting) >= WAITING:
                finish()
        while waiting:
            finish()
        assert made.statistics.lost == 0
    return faults.ways


def run(name: str, calls: int) -> list[str]:
    """One run with its lines of the report; gives what is wrong."""
    answers = bytearray(calls)
    sizes: list[int] = []

    def answered(number: int) -> None:
        answers[number] += 1

    def halfway(number: int) -> None:
        if number == calls // 5:
            sizes.append(memory())
        if number and number % (calls // 10) == 0:
            print(f"  {name}: {number} of {calls} calls, {time.monotonic() - start:.0f} s", flush=True)

    before, start = held(), time.monotonic()
    if name == "service":
        ways = on_service(calls, answered, halfway)
    else:
        ways = on_pool(name, calls, answered, halfway)
    seconds = time.monotonic() - start
    grown = memory() - sizes[0]
    limit = time.monotonic() + pools.LONG
    while (left := held() - before) and time.monotonic() < limit:
        time.sleep(0.05)
    print(f"{name}: {calls} calls in {seconds:.0f} s, {answers.count(1)} answered once", flush=True)
    print("  " + ", ".join(f"{way} {count}" for way, count in sorted(ways.items())))
    print(
        f"  memory grew by {grown / 2**20:.1f} MiB since a fifth of the calls; left behind: {dict(left) or 'nothing'}"
    )
    problems = [f"{calls - answers.count(1)} calls were not answered once"] if answers.count(1) != calls else []
    problems += [f"memory grew by {grown} bytes"] if grown > GROWTH else []
    return problems + [f"{count} more {what} than before" for what, count in left.items()]


def main() -> int:
    """Run all three; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.platforms.soak", description=__doc__)
    bound = os.environ.get("MARINE_GEN_SOAK_CALLS")
    parser.add_argument("--calls", type=int, default=int(bound) if bound else CALLS)
    calls = max(parser.parse_args().calls, 1_000)
    print(f"{calls} calls on each of three; MARINE_GEN_SOAK_CALLS or --calls bounds them", flush=True)
    for kind in ("threads", "processes"):  # starts what stays for good, such as multiprocessing's tracker
        with pools.pool(pools.ANY_ENGINE, kind) as first:
            first.call("lab", "echo", [1])
    problems = [f"{name}: {item}" for name in ("service", "threads", "processes") for item in run(name, calls)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())

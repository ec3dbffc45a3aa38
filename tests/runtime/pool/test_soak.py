"""Many calls with faults among them: every call ends, and when the pool is closed nothing is left of it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from marine_runtime.errors import ArgumentError, TrapError
from marine_runtime.pool import CallTimeoutError, ServicePool, WorkerDiedError
from marine_runtime.pool.message import MOST
from marine_runtime.wasm.memory_creator import memory_creator
from marine_runtime.wasm.memory_creator import problem as memories_problem
from tests.support.engines import CONFIGURATIONS, Configuration
from tests.support.pools import KINDS, LONG, pool, until

FAULTS = 100
"""One call in so many goes wrong."""

DESCRIPTORS = Path("/proc/self/fd")


def left() -> Counter[str]:
    """Everything that a pool might leave behind."""
    gc.collect()
    return Counter(
        {
            "processes": len(multiprocessing.active_children()),
            **Counter(f"thread {item.name}" for item in threading.enumerate()),
            "memories": len(memory_creator()._made) if memories_problem() is None else 0,
            "descriptors": len(list(DESCRIPTORS.iterdir())) if sys.platform.startswith("linux") else 0,
        }
    )


def excess(before: Counter[str]) -> Counter[str]:
    """The rest in the end beyond what was there before; threads that were given up may take a moment."""
    limit = time.monotonic() + LONG
    while (found := left() - before) and time.monotonic() < limit:
        time.sleep(0.02)
    return found


def soak(made: ServicePool, kind: str, total: int) -> Counter[str]:
    """Make calls of all sorts; gives how many ended in which way."""
    chance = random.Random(total)
    ways: Counter[str] = Counter()
    calls: list[tuple[Any, Future[Any]]] = []
    killed = 0
    for number in range(total):
        if number % FAULTS == FAULTS - 1:
            fault = chance.choice(["trap", "trap", "trap", "argument", "late", "die", "kill"])
            ways[fault] += 1
            deadly = fault in ("die", "kill", "late")
            killed += deadly
            if fault == "argument":
                with pytest.raises(ArgumentError):
                    made.submit("greeting", "greeting", [number])
                continue
            # A new process takes half a second, so most of these faults become traps in the bounded run.
            if (kind == "threads" and fault in ("die", "kill")) or (deadly and killed * 4_000 > total + 4_000):
                fault = "trap"
            if fault == "late":
                calls.append((CallTimeoutError, made.submit("lab", "nap", [900], timeout=0.02)))
            elif fault == "die":
                calls.append((WorkerDiedError, made.submit("lab", "die", [0])))
            elif fault == "kill":
                victim = chance.choice(made._workers.members)
                if victim.pid is not None:
                    os.kill(victim.pid, signal.SIGKILL)
                calls.append(("anything", made.submit("lab", "echo", [number])))
            else:
                calls.append((TrapError, made.submit("lab", "trap", [0])))
        elif number % 3:
            calls.append((f"Hi, {number}", made.submit("greeting", "greeting", [str(number)])))
        else:
            calls.append((number, made.submit("lab", "echo", [number])))
    for wanted, future in calls:
        problem = future.exception(60)
        if isinstance(wanted, type):
            assert type(problem) in (wanted, WorkerDiedError)
            ways["failed"] += 1
        elif isinstance(problem, WorkerDiedError):
            ways["killed"] += 1  # it was on the worker that `kill` chose
        else:
            assert problem is None
            assert wanted in ("anything", future.result())
            ways["fine"] += 1
    assert len(calls) + ways["argument"] == total
    assert ways["fine"] + ways["failed"] + ways["killed"] + ways["argument"] == total
    assert ways["killed"] <= ways["kill"] * MOST
    return ways


def run(configuration: Configuration, kind: str, total: int) -> None:
    """A soak with a look at what it leaves."""
    with pool(configuration, kind) as first:  # starts what stays for good, such as multiprocessing's tracker
        first.call("lab", "echo", [1])
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("pool-")])  # of other tests
    before = left()
    with pool(configuration, kind, workers=2, queue=256) as made:
        ways = soak(made, kind, total)
        assert ways["fine"] >= total * 0.98 - ways["killed"]
        assert made.statistics.lost == 0
        assert made.waiting == 0
    assert excess(before) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_400_calls(kind: str) -> None:
    run(CONFIGURATIONS[0], kind, 400)


@pytest.mark.slow
@pytest.mark.host_side
@pytest.mark.parametrize("kind", KINDS)
def test_some_calls_on_every_configuration(configuration: Configuration, kind: str) -> None:
    run(configuration, kind, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_200000_calls(kind: str) -> None:
    run(CONFIGURATIONS[0], kind, 200_000)

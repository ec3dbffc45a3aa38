"""The cost of values with many elements, and of many calls: time per element and memory stay what they were.

MARINE_GEN_FLAT_CALLS sets how many calls the test of memory makes of each kind.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.artifact import compile_module
from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime import CallError, Service
from marine_runtime.types import Prim
from tests.support.echo import function
from tests.support.engines import load
from tests.support.host_calls import calling
from tests.support.memory_use import resident

pytestmark = pytest.mark.slow

CALLS = int(os.environ.get("MARINE_GEN_FLAT_CALLS", "250000"))
SIZES = (1_000, 10_000, 100_000)
QUADRATIC = 8
"""Times the cost of an element that 10 times the elements may have: less than the 10 of a quadratic algorithm, and more
than caches and the allocator make of it, which is about 3."""

LEAK = 4 << 20
"""Bytes that stay resident at most: what a page or a byte per call would exceed, and the noise of an allocator not."""

PERSON = RecordDeclaration("Person", (Member("age", Prim.U32), Member("name", Prim.STRING), Member("score", Prim.F64)))


@dataclass(frozen=True, slots=True)
class Kind:
    """Values of one type, by their number of elements."""

    type: Type
    value: Callable[[int], Any]


KINDS = {
    "strings": Kind(Vector(Prim.STRING), lambda count: [f"string {number}" for number in range(count)]),
    "strings with NUL": Kind(Vector(Prim.STRING), lambda count: [f"\0{number}" for number in range(count)]),
    "numbers": Kind(Vector(Prim.U64), lambda count: list(range(2**40, 2**40 + count))),
    "byte arrays": Kind(Vector(Vector(Prim.U8)), lambda count: [b"abc"] * count),
    "arrays of arrays": Kind(Vector(Vector(Vector(Prim.STRING))), lambda count: [[["a"], []]] * (count // 2)),
    "records": Kind(
        Vector(Named("Person")), lambda count: [(number, f"person {number}", number / 4) for number in range(count)]
    ),
}


UNWELCOME = (13, "unwelcome", 0.5)


def answer(value: Any) -> Any:
    """The host's result: its argument, or a failure."""
    if len(value) == 1 and getattr(value[0], "age", 0) == UNWELCOME[0]:
        raise CallError("unwelcome")
    return value


def host(signature: Signature) -> HostFunction:
    plan = compile_module("m", calling(signature, (PERSON,))).plan
    return HostFunction(answer, plan.exports[signature.name], plan.records)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A module for each kind, whose function hands its argument to the host and gives back what comes."""
    modules, hosts = {}, {}
    for number, (name, kind) in enumerate(KINDS.items()):
        signature = function("f", kind.type)
        modules[name] = calling(signature, (PERSON,), name=f"echo{number}")
        hosts[f"echo{number}"] = host(signature)
    with load(modules, "fused", "fast", host_functions=hosts) as made:
        yield made


def cost(run: Callable[[], Any], size: int) -> float:
    """Seconds of this thread for each of `size` elements, the least of some runs."""
    times = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(2 if size > SIZES[0] else 5):
            start = time.thread_time()
            run()
            times.append(time.thread_time() - start)
    finally:
        gc.enable()
    return min(times) / size


@pytest.mark.parametrize("kind", KINDS)
def test_time_per_element(service: Service, kind: str) -> None:
    """There and back, with a host function on the way, in a batch, and as JSON."""
    call, single = service.modules[kind].f, KINDS[kind].value
    found: dict[str, list[float]] = {"call": [], "batch": [], "JSON": []}
    for size in SIZES:
        value = single(size)
        assert call(value) is not None
        found["call"].append(cost(lambda: call(value), size))  # noqa: B023
        rows = [[single(10)]] * (size // 10)
        found["batch"].append(cost(lambda: service.call_batch(kind, "f", rows), size))  # noqa: B023
        text = json.dumps([value], default=list)
        found["JSON"].append(cost(lambda: service.call_json(kind, "f", text), size))  # noqa: B023
    for way, costs in found.items():
        for less, more in pairwise(costs):
            assert more < QUADRATIC * less, (way, costs)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("way", ["call", "failing call", "JSON", "batch"])
def test_memory_of_many_calls(service: Service, way: str) -> None:
    """Records to a host function and back, a million of them and more for all ways together."""
    call = service.modules["records"].f
    value, unwelcome = call([(1, "person", 0.5)]), [UNWELCOME]
    text = json.dumps([[[1, "person", 0.5]]])

    def fail() -> None:
        with suppress(CallError):
            call(unwelcome)
            raise AssertionError("this was welcome")
        call(value)  # the guest releases what the failure left in its memory

    run: Callable[[], Any] = {
        "call": lambda: call(value),
        "failing call": fail,
        "JSON": lambda: service.call_json("records", "f", text),
        "batch": lambda: service.call_batch("records", "f", [[value]] * 100),
    }[way]
    count = CALLS // 100 if way == "batch" else CALLS
    for _ in range(min(count, 3000)):
        run()
    gc.collect()
    before = resident()
    for _ in range(count):
        run()
    gc.collect()
    assert resident() - before < LEAK

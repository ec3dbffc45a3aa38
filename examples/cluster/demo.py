"""A pool on a Ray cluster of this machine, from a module to answers: `make cluster`.

    python examples/cluster/demo.py [--address ADDRESS]

Two nodes are started here, unless ADDRESS names a cluster that is there, such as `auto`. The service is built for every
machine, sent to the nodes, called in parallel, and asked to keep a state under a name. At last a worker is killed.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import ray
from wasmtime import wat2wasm

import marine_gen
from marine_gen.artifact.embedding import embed_adapters
from marine_gen.text import parse
from marine_runtime.pool import WorkerDiedError
from marine_runtime.ray import RayServicePool

ROOT = Path(__file__).resolve().parents[2]
GREETING = ROOT / "tests" / "guests" / "greeting.wasm"
CALLS = 5_000

COUNTER = """
(module
  (global $n (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (global.get $n)))
"""
"""A module with a state: it counts its calls."""

ADAPTERS = """
(@interface it_version "0.28.0")
(@interface type (func (result i32)))
(@interface type (func (result u32)))
(@interface export "count" (func 0))
(@interface func (type 1) call-core 0 u32.from_i32)
(@interface implement (func 0) (func 1))
"""


def counter_module() -> bytes:
    """The module with its adapters."""
    return embed_adapters("counter", bytes(wat2wasm(COUNTER)), parse(ADAPTERS), "0.14.0")


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A cluster: that of `address`, or two nodes of this machine."""
    options = {"logging_level": logging.ERROR, "log_to_driver": False}
    nodes = None
    if address is None:
        from ray.cluster_utils import Cluster

        nodes = Cluster()
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=100 << 20, include_dashboard=False)
        nodes.wait_for_nodes()
        address = nodes.address
    ray.init(address, **options)
    try:
        yield
    finally:
        ray.shutdown()
        if nodes is not None:
            nodes.shutdown()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="A pool on a Ray cluster.")
    parser.add_argument("--address", help="a cluster that is there, such as `auto`; two nodes are started otherwise")
    address = parser.parse_args().address
    with tempfile.TemporaryDirectory() as name, connected(address):
        greeting, counter = Path(name) / "greeting", Path(name) / "counter"
        marine_gen.build(GREETING, greeting, native=False)
        marine_gen.build({"counter": counter_module()}, counter, native=False)

        with RayServicePool(greeting, workers=2, num_cpus=0.5, timeout=10) as pool:
            print(f"{len(ray.nodes())} nodes; {pool}")
            print(pool.call("greeting", "greeting", ["John"]))
            begin = perf_counter()
            futures = [pool.submit("greeting", "greeting", [str(number)]) for number in range(CALLS)]
            assert [future.result() for future in futures] == [f"Hi, {number}" for number in range(CALLS)]
            print(f"{CALLS / (perf_counter() - begin):,.0f} calls/s by submit")

        with RayServicePool(counter, workers=1, num_cpus=0) as pool:
            alice, bob = pool.service("alice"), pool.service("bob")
            counts = [service.call("counter", "count") for service in (alice, alice, bob)]
            print(f"services {pool.services()} count {counts}")
            os.kill(alice.actors()[0].pid, signal.SIGKILL)
            try:
                alice.call("counter", "count")
            except WorkerDiedError as error:
                print(f"killed: {type(error).__name__}; had the call begun? {error.begun}")
            print(f"a fresh one counts {pool.service('alice', restart='fresh').call('counter', 'count')}")


if __name__ == "__main__":
    main()

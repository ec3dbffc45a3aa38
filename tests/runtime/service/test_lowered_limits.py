"""Limits and descriptors that a program takes away after it has imported the runtime, or loaded a service."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import marine_gen
from tests.support.children import lines_of
from tests.support.engines import guests
from tests.support.wasi import wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.skipif(os.name != "posix", reason="POSIX has these")]

PROGRAM = """
import os, sys, threading
import marine_runtime
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.pool import ServicePool

SOURCE, LAYER = sys.argv[1:]

def tell(work):
    try:
        print(work(), flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)

def greet(service):
    tell(lambda: service.call("greeting", "greeting", ["you"]))

def load():
    config = ServiceConfig(modules={"m": ModuleConfig(mapped_dirs={"data": "/"})})
    return marine_runtime.load(SOURCE, call_layer=LAYER, config=config)

def lower(name, value):
    import resource
    resource.setrlimit(getattr(resource, name), (value, value))

if __name__ == "__main__":
    BODY
"""
LAYERS = pytest.mark.parametrize("layer", ["fast", "public"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    everything = {"m": wasi_guest(), **guests("greeting", "endless")}
    return marine_gen.build(everything, tmp_path_factory.mktemp("lowered") / "built", native=False).directory


def told(built: Path, layer: str, body: str) -> list[str]:
    """The lines that a program prints."""
    place = built.with_name("program.py")
    place.write_text(PROGRAM.replace("BODY", body.strip()))
    return lines_of(str(place), str(built), layer)


DATA = """
    with load() as service:
        lower("RLIMIT_DATA", 1_000_000)
        tell(lambda: load())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit it")
@LAYERS
def test_data(built: Path, layer: str) -> None:
    (line,) = told(built, layer, DATA)
    assert line.startswith("LinkError: ")
    assert line.endswith("Cannot allocate memory (RLIMIT_DATA, which `ulimit -d` shows, is 1000000)")


BEFORE = """
    lower("RLIMIT_STACK", 1 << 20)
    service = load()
    tell(lambda: service.call("endless", "recurse"))
    greet(service)
"""
IN_A_THREAD = """
    def work():
        service = load()
        lower("RLIMIT_STACK", 1 << 18)
        tell(lambda: service.call("endless", "recurse"))
        greet(service)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("body", [BEFORE, IN_A_THREAD], ids=["before the load", "in a thread"])
@LAYERS
def test_stack(built: Path, layer: str, body: str) -> None:
    deep, greeting = told(built, layer, body)
    assert deep.startswith("TrapError: ")
    assert deep.endswith("wasm trap: call stack exhausted")
    assert greeting == "Hi, you"


CLOSED = """
    service, pool = load(), ServicePool(SOURCE, kind="threads", workers=1)
    greet(pool)
    os.closerange(3, 1000)
    greet(service)
    greet(pool)
    tell(lambda: service.call("endless", "spin", timeout=0.1))
    tell(lambda: service.call("endless", "recurse"))
    with load() as other:
        greet(other)
    service.close()
    pool.close()
    print("closed")
"""


@LAYERS
def test_all_descriptors_are_closed(built: Path, layer: str) -> None:
    lines = told(built, layer, CLOSED)
    assert [line.partition(": ")[0] for line in lines] == [
        *("Hi, you", "Hi, you", "Hi, you", "CallTimeoutError", "TrapError", "Hi, you", "closed"),
    ]


POOL = """
    pool = ServicePool(SOURCE, kind="processes", workers=1)
    greet(pool)
    os.closerange(3, 1000)
    greet(pool)
    pool.close()
    print("closed")
"""


def test_the_descriptors_of_a_pool_are_closed(built: Path) -> None:
    assert told(built, "fast", POOL) == [
        *("Hi, you", "PoolError: the pool has no worker left: [Errno 9] Bad file descriptor", "closed"),
    ]

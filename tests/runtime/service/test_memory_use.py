"""Calls leave nothing behind: the process does not grow, however many there are, whether they succeed or fail."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.artifact import ENGINES
from marine_gen.generate import Description, Vector
from marine_runtime import CallError, Service
from marine_runtime.types import Prim
from tests.support.echo import Memory, chain, echo_module, function
from tests.support.engines import load
from tests.support.memory_use import resident
from tests.support.troubles import modules

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

LIMIT = 2 << 20
CALLS = 30_000
FEW = 9_000
"""Calls on the default engine every time; on all of them, `CALLS` in the long run."""

MANY = 1_000_000
SIGNATURE = function("f", Prim.STRING, Prim.U32, Vector(Prim.F64))


def growth(call: Callable[[], Any], count: int) -> int:
    """Bytes by which `count` calls make the process grow, after enough of them to settle."""
    for _ in range(count // 20):
        call()
    gc.collect()
    before = resident()
    for _ in range(count):
        call()
    gc.collect()
    return resident() - before


def echoing(engine: str) -> Service:
    return load(chain([SIGNATURE]), engine)


amounts = pytest.mark.parametrize(
    ("engine", "calls"),
    [("fused", FEW), *(pytest.param(engine, CALLS, marks=pytest.mark.slow) for engine in ENGINES)],
)


@amounts
def test_calls_leave_no_memory_behind(engine: str, calls: int) -> None:
    with echoing(engine) as service:
        call = service.modules.inner.f
        assert growth(lambda: call("text", 7, [1.5, 2.5]), calls) < LIMIT


@amounts
def test_calls_of_all_kinds(engine: str, calls: int) -> None:
    """Through two modules, by name, as JSON."""
    with echoing(engine) as service:
        assert growth(lambda: service.modules.outer.f("text é", 7, [1.5]), calls // 20) < LIMIT
        assert growth(lambda: service.call("outer", "f", ["", 7, []]), calls // 20) < LIMIT
        assert growth(lambda: service.call_json("inner", "f", '["text", 7, [1.5]]'), calls // 20) < LIMIT


@amounts
def test_failing_calls(engine: str, calls: int) -> None:
    """Traps and errors are owned by Python objects, which must free them."""
    with load(modules("trap_chain"), engine) as service:

        def fail() -> None:
            with pytest.raises(CallError):
                service.call("second", "f", ["x"])

        assert growth(fail, calls // 100) < LIMIT


@amounts
def test_host_functions(engine: str, calls: int) -> None:
    module = echo_module(
        Description(functions=(function("f", Prim.STRING),)),
        Memory(),
        {"f": "(call $host (local.get 0) (local.get 1))"},
        head='(import "host" "callback" (func $host (param i32 i32)))',
    )
    functions = {"callback": HostFunction.of(str.upper, [Prim.STRING], Prim.STRING)}
    with load({"m": module}, engine, host_functions=functions) as service:
        assert growth(lambda: service.modules.m.f("text"), calls // 10) < LIMIT


@amounts
def test_services_that_come_and_go(engine: str, calls: int) -> None:
    def use() -> None:
        with echoing(engine) as service:
            service.modules.outer.f("x", 1, [])

    # Modules, engines and generated code of a service are Python objects in cycles: give the collector a chance.
    assert growth(use, calls // 750) < 4 * LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("module", ["inner", "outer"])
def test_a_million_calls(engine: str, module: str) -> None:
    with echoing(engine) as service:
        call = service.modules[module]["f"]
        assert growth(lambda: call("text", 7, [1.5, 2.5]), MANY) < LIMIT

"""Greenlets that switch inside host functions, each in its own service: refused, or done in the right order."""

from __future__ import annotations

import pytest

from tests.support.children import run_python
from tests.support.engines import guests, load

greenlet = pytest.importorskip("greenlet", reason="greenlets need the package `greenlet`")

PROGRAM = """
import greenlet
from marine_gen import HostFunction
from marine_runtime.errors import StateError
from marine_runtime.types import Prim
from tests.support.engines import load
from tests.support.pools import lab

main = greenlet.getcurrent()

def switch(number):
    main.switch(number)

host = {name: HostFunction.of(switch, [Prim.U32]) for name in ("nap", "hold", "die", "blow")}
services = [load(lab(), ENGINE, LAYER, host_functions=host) for number in range(2)]

def call(number):
    try:
        return services[number].call("lab", "nap", [number])
    except StateError as error:
        return str(error)

"""
OUT_OF_ORDER = """
first, second = greenlet.greenlet(call), greenlet.greenlet(call)
print(first.switch(0))
print("greenlet" in second.switch(1))
print(first.switch())
second = greenlet.greenlet(call)
print(second.switch(1), second.switch())
"""
WITHOUT_SWITCHING = """
def echo(number):
    return services[number].call("lab", "echo", [number])

print([greenlet.greenlet(echo).switch(number) for number in (0, 1, 0, 1)])
"""
LATE = """
import time
for _ in range(3):
    services[0].call("lab", "echo", [1])
    time.sleep(0.03)
"""
CASES = {
    "out of order": (OUT_OF_ORDER, "0\nTrue\n0\n1 1\n"),
    "without switching": (WITHOUT_SWITCHING, "[0, 1, 0, 1]\n"),
    "after other calls": (LATE + OUT_OF_ORDER, "0\nTrue\n0\n1 1\n"),
}


@pytest.mark.parametrize(
    ("engine", "layer"), [("fused", "fast"), pytest.param("interpreter", "public", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("case", CASES)
def test_greenlets(case: str, engine: str, layer: str) -> None:
    text, expected = CASES[case]
    done = run_python("-c", PROGRAM.replace("ENGINE, LAYER", f"{engine!r}, {layer!r}") + text)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_each_call_begins_with_a_look_at_the_greenlet() -> None:
    """It takes slightly longer for that."""
    with load(guests("greeting"), "fused", "fast") as service:
        for _ in range(2):
            service.call("greeting", "greeting", ["x"])
            assert service._guard.owner == -1


UNDER_GEVENT = """
import gevent.monkey
gevent.monkey.patch_all()
from marine_runtime.errors import CallTimeoutError
from tests.support.engines import guests, load
with load(guests("endless", "greeting"), "fused", "fast") as service:
    def call(number):
        try:
            service.call("endless", "spin", timeout=0.1)
        except CallTimeoutError:
            return service.call("greeting", "greeting", [number])
    print(call("x"), [item.get() for item in [gevent.spawn(call, number) for number in "yz"]])
"""


def test_time_limits_under_gevent() -> None:
    """The clock has a thread of the system: a greenlet would wait for the guest."""
    pytest.importorskip("gevent", reason="needs the package `gevent`")
    done = run_python("-c", UNDER_GEVENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hi, x ['Hi, y', 'Hi, z']\n", "")

"""A service for pools: calls that work, trap, hang, wait, raise, and kill their process.

Worker processes import this file, so host functions and factories are functions of the module.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import marine_gen
from marine_gen import HostFunction
from marine_gen.generate import Description
from marine_runtime.errors import LoadError
from marine_runtime.pool import AsyncPool, ServicePool
from marine_runtime.pool.processes import ProcessWorker
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import CONFIGURATIONS, Configuration, guests
from tests.support.troubles import modules

KINDS = ("threads", "processes")
ANY_ENGINE = CONFIGURATIONS[0]
SHORT, LONG = 0.3, 60.0
"""Seconds: a limit that is reached, and one that never should be."""
GATE = "MARINE_GEN_TESTS_GATE"
LOG = "MARINE_GEN_TESTS_LOG"


class StubbornError(Exception):
    """An object that can be made, but comes back from pickle as nothing."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


class UnreadableError(Exception):
    """An error whose text can't be had."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


def nap(milliseconds: int) -> None:
    """Sleep."""
    time.sleep(milliseconds / 1000)


def hold(number: int) -> None:
    """With 0, wait until there is the file that the environment variable GATE names."""
    note(number)
    if number == 0:
        until(Path(os.environ[GATE]).exists)


def die(number: int) -> None:
    """With 0, kill this process, as the system does when memory is short; raise with 1."""
    note(number)
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 1:
        raise ValueError("one")


def note(number: int) -> None:
    """Add a line to the file that the environment variable LOG names, if any."""
    if place := os.environ.get(LOG):
        with open(place, "a") as file:
            file.write(f"{number}\n")


def blow(number: int) -> None:
    """Raise something that depends on the number."""
    if number == 1:
        raise StubbornError("can't be ", "pickled")
    if number == 2:
        raise StopIteration
    if number == 3:
        raise SystemExit("leave")
    if number == 4:
        error = ValueError("with notes of its own")
        vars(error)["__notes__"] = "no list"
        raise error
    if number == 5:  # a class that only this process has
        sys.modules["only_there"] = ModuleType("only_there")
        local = type("LocalError", (Exception,), {"__module__": "only_there"})
        vars(sys.modules["only_there"])["LocalError"] = local
        raise local("from there")
    if number == 6:
        error, error.__cause__ = ValueError("in a circle"), ValueError("its cause")
        error.__cause__.__cause__ = error
        raise error
    if number == 7:
        raise UnreadableError
    raise ValueError("blown") from KeyError("cause")


@cache
def lab() -> dict[str, bytes]:
    """Modules by name; functions of `lab` take a u32 and give it back after doing what their name says."""
    names = ("nap", "hold", "die", "blow")
    imports = "".join(f'(import "host" "{name}" (func ${name} (param i32)))' for name in names)
    bodies = {name: f"(call ${name} (local.get 0)) (local.get 0)" for name in names}
    step = "(global.set $n (i32.add (global.get $n) (i32.const 1)))"
    bodies |= {"count": f"{step} (global.get $n)", "trap": f"{step} unreachable"}
    signatures = tuple(function(name, Prim.U32) for name in (*bodies, "echo"))
    module = echo_module(
        Description(functions=signatures), Memory(), bodies, "(global $n (mut i32) (i32.const 0))", imports
    )
    return {
        "lab": module,
        **guests("greeting", "greeting_record", "endless"),
        **modules("trap_chain"),
    }


def host_functions() -> dict[str, HostFunction]:
    """The host functions that `lab` imports."""
    return {item.__name__: HostFunction.of(item, [Prim.U32]) for item in (nap, hold, die, blow)}


def factory(configuration: Configuration) -> Any:
    """A function that loads `lab`, for any process."""
    return partial(marine_gen.load, lab(), engine=configuration.engine, call_layer=configuration.call_layer)


def slow(**options: Any) -> Any:
    """A factory that takes its time."""
    nap(200)
    return factory(ANY_ENGINE)(**options)


def fails(**_: Any) -> Any:
    """A factory that can't load."""
    raise LoadError("nothing to load")


def dies(**_: Any) -> Any:
    """A factory that ends its process."""
    os._exit(3)


def once(place: str, **options: Any) -> Any:
    """A factory that works once for each file in the directory `place`."""
    for item in Path(place).iterdir():
        item.unlink()
        return marine_gen.load(lab(), **options)
    raise LoadError("no more copies")


def pool(configuration: Configuration, kind: str, **options: Any) -> ServicePool:
    """A pool over `lab`."""
    options.setdefault("workers", 1)
    return ServicePool(factory(configuration), kind=kind, host_functions=host_functions, **options)


async def call_async(made: ServicePool, *call: Any, **options: Any) -> Any:
    """A call of a pool that is there already, from asyncio."""
    asynchronous = AsyncPool(lambda: made)
    asynchronous._pool = made
    return await asynchronous.call(*call, **options)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    limit = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.005)


def spin(kind: str) -> None:
    """Make a call that does not end, after a line with the process ids of the workers."""
    with pool(CONFIGURATIONS[0], kind, workers=2) as made:
        print(*[worker.pid for worker in made._workers.members if isinstance(worker, ProcessWorker)], flush=True)
        made.call("endless", "spin")

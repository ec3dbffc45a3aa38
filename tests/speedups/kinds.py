"""Kinds of calls in C, each as often as one asks for: what the checks of references and of memory repeat."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any

import marine_gen
from marine_gen import HostFunction
from marine_gen.generate import Description, Vector
from marine_runtime import ArgumentError, Service, StateError, TrapError
from marine_runtime.types import Prim
from marine_runtime.wasm.speedups import speedups
from tests.support.echo import Memory, echo_module, function
from tests.support.pools import lab

SAMPLES = {
    "text": (Prim.STRING, "x" * 50),
    "text beyond ASCII": (Prim.STRING, "é" * 50),
    "bytes": (Vector(Prim.U8), b"\0\xff" * 50),
    "truth": (Prim.BOOLEAN, True),
    "s8": (Prim.S8, -128),
    "u16": (Prim.U16, 2**16 - 1),
    "s32": (Prim.S32, -(2**31)),
    "u64": (Prim.U64, 2**64 - 1),
    "f32": (Prim.F32, 0.5),
    "f64": (Prim.F64, 0.1),
}
"""A type, and a value of it that Python makes a new object for."""

RARE = 100
"""Kinds that cost a hundred times as much as others are repeated less by this."""

LARGE = "é" * 40_000
"""More than 64 KiB, but so few characters that every second call is in C."""


class HostError(Exception):
    """An exception of a host function."""


@contextmanager
def kinds() -> Iterator[dict[str, Callable[[int], None]]]:
    """Functions by the names of kinds; each makes so many calls, or a hundredth of them where a call costs more.

    The extension must be in use.
    """
    extension = speedups()
    assert extension is not None, "install the extension: `make speedups`"
    signatures = {f"f{at}": ty for at, (ty, _) in enumerate(SAMPLES.values())}
    mixed = function("mixed", Prim.STRING, Vector(Prim.U8), Prim.U64, Prim.F64)
    functions = (*(function(name, ty) for name, ty in signatures.items()), mixed, function("nothing"))

    def raises(value: int) -> None:
        raise HostError(value)

    def calls_back(value: int) -> None:
        with suppress(StateError):
            other.modules.lab.echo(value)

    host = {"nap": lambda value: None, "hold": calls_back, "die": raises, "blow": lambda value: None}
    with (
        marine_gen.load({"m": echo_module(Description(functions=functions), Memory(pages=16))}) as service,
        marine_gen.load(
            lab(), host_functions={name: HostFunction.of(run, [Prim.U32]) for name, run in host.items()}
        ) as other,
    ):
        calls = {name: service.modules.m[name] for name in (*signatures, "mixed", "nothing")}
        calls |= {name: other.modules.lab[name] for name in ("echo", "nap", "hold", "die", "trap")}
        assert {type(run) for run in calls.values()} == {extension.Call}
        found: dict[str, Callable[[int], None]] = {}
        for name, (kind, (_, value)) in zip(signatures, SAMPLES.items(), strict=True):
            found[kind] = partial(_repeat, calls[name], (value,))
        mixed_values = ("é" * 20, b"b" * 40, 2**63 + 5, 1.25)
        found["several values"] = partial(_repeat, calls["mixed"], mixed_values)
        found["no value"] = partial(_repeat, calls["nothing"], ())
        found["by keyword"] = lambda times: _keywords(calls["echo"], times)
        found["large values"] = lambda times: _repeat(calls["f0"], (LARGE,), times // 20)
        found["refused arguments"] = lambda times: _refused(calls["mixed"], mixed_values, times // 10)
        found["host functions"] = partial(_repeat, calls["nap"], (5,))
        found["calls from host functions"] = lambda times: _repeat(calls["hold"], (5,), times // 10)
        found["exceptions of host functions"] = lambda times: _fail(calls["die"], HostError, times // 10)
        found["traps"] = lambda times: _fail(calls["trap"], TrapError, times // RARE)
        found["threads"] = lambda times: _threads(calls["echo"], times // 10)
        found["as an object"] = lambda times: _object(calls["echo"], times // 10)
        found["services"] = lambda times: _services(times // 1000)
        yield found


def _repeat(run: Callable[..., Any], args: tuple[Any, ...], times: int) -> None:
    for _ in range(times):
        run(*args)


def _keywords(run: Callable[..., Any], times: int) -> None:
    for _ in range(times):
        run(p0=5)


def _refused(run: Callable[..., Any], args: tuple[Any, ...], times: int) -> None:
    """Every place gets something else than it takes; there are too few, too many and unknown ones."""
    lists: list[list[Any]] = [[*args, 1], [*args[:-1]], []]
    for place in range(len(args)):
        lists += [[*args[:place], odd, *args[place + 1 :]] for odd in ("\ud800", None, -1, 2**70, [256], object())]
    for number in range(times):
        with suppress(ArgumentError, TypeError):
            run(*lists[number % len(lists)])
        with suppress(ArgumentError, TypeError):
            run(*args, unknown=number)


def _fail(run: Callable[..., Any], error: type[BaseException], times: int) -> None:
    for _ in range(times):
        with suppress(error):
            run(5)


def _threads(run: Callable[..., Any], times: int) -> None:
    """A thread that the service does not belong to is refused, while its own thread calls."""
    thread = Thread(target=_fail, args=(run, StateError, times))
    thread.start()
    _fail(run, StateError, times)
    thread.join()


def _object(run: Any, times: int) -> None:
    """Uses of functions beside calls."""
    for number in range(times):
        if not number % RARE:
            with suppress(ArgumentError, TypeError):
                type("Holder", (), {"method": run})().method()
        run.note = run.__name__
        del run.note
        assert getattr(run, "note", None) is None
        assert run.__doc__
        assert run.__module__
        assert repr(run)
        assert copy.copy(run) is run
        weakref.ref(run)
        with suppress(TypeError):
            type(run)(run.__wrapped__, None)


def _services(times: int) -> None:
    """Services that come and go, with their functions, called and not called."""
    module = echo_module(Description(functions=(function("f", Prim.STRING),)), Memory())
    for number in range(times):
        service: Service = marine_gen.load({"m": module})
        run = service.modules.m.f
        if number % 2:
            run("x")
            service.close()
        del service
        with suppress(StateError):
            run("x")

"""Functions in C: what they are to programs, when they may run, what they leave behind."""

from __future__ import annotations

import copy
import gc
import inspect
import os
import pickle
import pydoc
import signal
import sys
import threading
import typing
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import marine_gen
from marine_gen import HostFunction
from marine_gen.generate import Description, Vector
from marine_runtime import (
    ArgumentError,
    CallTimeoutError,
    MemoryLimitError,
    Service,
    ServiceState,
    StateError,
    TrapError,
)
from marine_runtime.config.model import ServiceConfig
from marine_runtime.types import Prim
from marine_runtime.wasm import memory_creator
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import guest
from tests.support.pools import lab

CALLS = 3000


@pytest.fixture
def service(extension: Any) -> Iterator[Service]:
    with marine_gen.load({"greeting": guest("greeting")}) as made:
        yield made


def lab_service(host: dict[str, Any] | None = None, **options: Any) -> Service:
    """The functions of `lab`; those of the host do nothing unless `host` says otherwise."""
    names: dict[str, Any] = dict.fromkeys(("nap", "hold", "die", "blow"), lambda value: None)
    functions = {name: HostFunction.of(run, [Prim.U32]) for name, run in (names | (host or {})).items()}
    return marine_gen.load(lab(), host_functions=functions, **options)


def test_it_looks_like_the_function(service: Service) -> None:
    run = service.modules.greeting.greeting
    entry = run.__wrapped__
    assert inspect.signature(run) == inspect.signature(entry)
    assert typing.get_type_hints(run) == {"name": str, "return": str}
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        assert getattr(run, name) == getattr(entry, name)
    assert repr(run) == repr(entry)
    assert "greeting(name" in pydoc.plain(pydoc.render_doc(run))
    assert copy.copy(run) is copy.deepcopy(run) is run
    assert weakref.ref(run)() is run
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(run)
    run.note = 1
    assert run.note == entry.note == 1
    del run.note
    with pytest.raises(AttributeError):
        _ = run.note

    class Greeter(str):
        greet = run

    assert Greeter.greet is run
    assert Greeter("John").greet() == "Hi, John"


def test_calls_without_vectorcall(service: Service) -> None:
    run = service.modules.greeting.greeting
    assert run(*["John"]) == run(name="John") == type(run).__call__(run, "John") == "Hi, John"
    assert list(map(run, ["a", "b"])) == ["Hi, a", "Hi, b"]


def test_closed_and_foreign_threads(service: Service) -> None:
    run = service.modules.greeting.greeting
    run("John")
    seen: list[BaseException] = []

    def call() -> None:
        try:
            run("John")
        except StateError as error:
            seen.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "belongs to the thread" in str(seen[0])
    assert run("John") == "Hi, John"
    service.close()
    with pytest.raises(StateError, match="is closed"):
        run("John")


def test_reentrance(extension: Any) -> None:
    """A host function can't call back; what it tried leaves the running call as it is."""
    seen: list[str] = []

    def nap(value: int) -> None:
        for run in (service.modules.lab.echo, service.modules.greeting.greeting):
            try:
                run(value if run is service.modules.lab.echo else "John")
            except StateError as error:
                seen.append(str(error))
        assert other.modules.greeting.greeting("x" * 50_000) == "Hi, " + "x" * 50_000

    service = lab_service({"nap": nap})
    other = marine_gen.load({"greeting": guest("greeting")})
    assert service.modules.lab.nap(7) == 7
    assert len(seen) == 2
    assert all("is busy" in text for text in seen)
    assert service.state is ServiceState.READY


class OwnError(Exception):
    """An exception of a host function."""


def test_exceptions_of_host_functions(extension: Any) -> None:
    def nap(value: int) -> None:
        raise OwnError(value)

    with lab_service({"nap": nap}) as service:
        for _ in range(3):
            with pytest.raises(OwnError, match="7") as caught:
                service.modules.lab.nap(7)
            assert [entry.name for entry in caught.traceback][-1] == "nap"
        assert service.modules.lab.echo(1) == 1
        assert service.state is ServiceState.FAILED


def test_traps_have_their_place(extension: Any) -> None:
    with lab_service() as service:
        run = service.modules.lab.trap
        errors = []
        for way in (run, run.__wrapped__):
            with pytest.raises(TrapError) as caught:
                way(1)
            errors.append(caught.value)
        assert str(errors[0]) == str(errors[1])
        assert errors[0].site == errors[1].site
        assert errors[0].__notes__ == errors[1].__notes__
        assert service.modules.lab.echo(1) == 1


def test_limits(extension: Any) -> None:
    with lab_service() as service, pytest.raises(CallTimeoutError):
        service.call("endless", "spin", timeout=0.05)
    module = echo_module(Description(functions=(function("f", Prim.STRING),)), Memory(fresh=True))
    with marine_gen.load({"m": module}, config=ServiceConfig(total_memory_limit=1 << 20)) as service:
        run = service.modules.m.f

        def fill() -> None:
            for _ in range(100):
                run("x")

        with pytest.raises(MemoryLimitError) as caught:
            fill()
        assert caught.value.rejects == 1
        assert service.state is ServiceState.FAILED


def test_fuel_is_the_same(extension: Any) -> None:
    used = []
    for wrapped in (False, True):
        with marine_gen.load({"greeting": guest("greeting")}, fuel=1_000_000) as service:
            run = service._linked["greeting"].bound.entries["greeting"]
            run = run.__wrapped__ if wrapped else run
            for text in ("", "John", "é" * 1000, "x" * 70_000, "John"):
                with service._store.fuelled(1_000_000):
                    run(text)
            used.append(service._store.fuel_used)
    assert used[0] == used[1]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no interval timers")
def test_signal_handlers_end_calls(extension: Any) -> None:
    def stop(number: int, frame: object) -> None:
        raise OwnError("stopped")

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with lab_service() as service:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(OwnError, match="stopped"):
                service.modules.endless.spin()
            assert service.modules.lab.echo(1) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_threads_run_meanwhile(extension: Any) -> None:
    """The GIL is released: a guest that spins is ended by a thread."""
    with lab_service() as service:
        threading.Timer(0.05, service._store._watchdog.interrupt).start()
        with pytest.raises(CallTimeoutError):
            service.call("endless", "spin", timeout=600)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks(service: Service) -> None:
    run = service.modules.greeting.greeting
    run("John")
    child = os.fork()
    if not child:
        os._exit(0 if run("John") == "Hi, John" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run("John") == "Hi, John"


def test_it_goes_with_its_service(extension: Any) -> None:
    counts = []
    for _ in range(3):
        service = marine_gen.load({"greeting": guest("greeting")})
        run = service.modules.greeting.greeting
        run("John")
        gone = weakref.ref(service._store), weakref.ref(run)
        service.close()
        del service, run
        gc.collect()
        assert [item() for item in gone] == [None, None]
        counts.append(sys.getrefcount(extension.Call))
    assert counts[1] >= counts[2]


def test_it_makes_memories_on_any_processor(extension: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their budgets are tested by `tests/runtime`, which uses these callbacks where the extension is in use."""
    monkeypatch.setattr(memory_creator, "machine_code", lambda: None)
    assert memory_creator.problem() is None
    creator = memory_creator.MemoryCreator()
    assert (creator._ask_code, creator._grow_code, creator._create_code) == extension.memory_callbacks()
    assert memory_creator.memory_creator()._ask_code == creator._ask_code
    monkeypatch.setattr(memory_creator, "speedups", lambda: None)
    assert "no memory creator" in str(memory_creator.problem())


def test_nothing_is_left_behind(extension: Any) -> None:
    """No reference and no block of memory, whether calls succeed, fail in Wasm or are left to Python."""
    texts = Description(functions=(function("f", Prim.STRING, Vector(Prim.U8), Prim.U64, Prim.F64),))
    with lab_service() as service, marine_gen.load({"m": echo_module(texts, Memory(pages=16))}) as other:
        mixed, trap, count = other.modules.m.f, service.modules.lab.trap, service.modules.lab.count
        text, data, number, real = "é" * 20, b"b" * 40, 2**63 + 5, 1.25
        odd = "x\ud800"
        watched = (text, data, odd, mixed, trap, count, True, False, None, mixed.__wrapped__)

        def calls(times: int) -> None:
            for _ in range(times):
                mixed(text, data, number, real)
                count(5)
                for bad in (odd, data):
                    with suppress(ArgumentError):
                        mixed(bad, data, number, real)
                with suppress(TypeError):
                    mixed(text, unknown=data)

        def traps(times: int) -> None:
            for _ in range(times):
                with suppress(TrapError):
                    trap(1)

        for work, times in ((calls, CALLS), (traps, CALLS // 10)):
            work(50)
            gc.collect()
            before = [sys.getrefcount(item) for item in watched]
            blocks = sys.getallocatedblocks()
            work(times)
            gc.collect()
            grown = sys.getallocatedblocks() - blocks
            after = [sys.getrefcount(item) for item in watched]
            assert max(abs(new - old) for new, old in zip(after, before, strict=True)) < 20
            assert grown < times // 10

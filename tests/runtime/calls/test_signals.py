"""Signals whose handlers raise while a guest runs: the call ends with what they raised, and the service goes on."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_runtime import Service
from marine_runtime.calls.state import ServiceState
from marine_runtime.errors import CallTimeoutError
from marine_runtime.types import Prim
from marine_runtime.wasm import interruption
from tests.runtime.linking.test_dynamic import ADAPTERS
from tests.support.alarms import BEGUN, StopError, alarm
from tests.support.engines import Configuration, assemble, guests, load
from tests.support.paths import ROOT
from tests.support.pools import ANY_ENGINE, KINDS, LONG, host_functions, lab, pool, until
from tests.support.samples import sampled

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX has these timers")

Serve = Callable[..., Service]
SPINNING = '(module (func (export "{start}") (loop $again (br $again))) (func (export "run")))'
LOADED = 1.0  # seconds after which a module has been compiled and cached


def works(service: Service) -> bool:
    """True if a service can be called."""
    return service.call("greeting", "greeting", ["x"]) == "Hi, x"


@pytest.mark.parametrize("options", [{}, {"timeout": 10 * LONG}], ids=["unlimited", "limited"])
def test_a_call(serve: Serve, options: dict[str, Any]) -> None:
    service = serve(guests("endless", "greeting"))
    for _ in range(2):
        with alarm():
            service.call("endless", "spin", **options)
        assert service.state is ServiceState.FAILED
        assert works(service)


@pytest.mark.costly
def test_a_call_after_a_pause(serve: Serve) -> None:
    """Nobody attends to the service any more."""
    service = serve(guests("endless", "greeting"))
    end = time.monotonic() + LONG
    while service._store._watchdog.running and time.monotonic() < end:
        time.sleep(0.02)
    assert not service._store._watchdog.running
    with alarm():
        service.modules.endless.spin()
    assert works(service)


@pytest.mark.costly
def test_handlers_that_return_change_nothing(serve: Serve) -> None:
    service, heard = serve(guests("endless", "greeting")), []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    sender = threading.Timer(BEGUN, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        with alarm(6 * BEGUN):
            service.call("endless", "spin")
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


def test_a_batch(serve: Serve) -> None:
    service = serve(guests("endless", "greeting"))
    with alarm():
        service.call_batch("endless", "spin", [[], []])
    assert works(service)


def test_a_call_in_a_host_function(configuration: Configuration) -> None:
    with load(guests("endless", "greeting"), configuration.engine, configuration.call_layer) as inner:
        host = host_functions() | {"nap": HostFunction.of(lambda _: inner.call("endless", "spin"), [Prim.U32])}
        with load(lab(), configuration.engine, configuration.call_layer, host_functions=host) as outer:
            with alarm():
                outer.call("lab", "nap", [1])
            assert works(outer)
            assert works(inner)


@pytest.mark.costly
def test_asyncio(serve: Serve) -> None:
    service = serve(guests("endless", "greeting"))

    async def run() -> None:
        service.call("endless", "spin")

    with alarm():
        asyncio.run(run())
    assert works(service)


def test_ctrl_c_on_asyncio(serve: Serve) -> None:
    """The first one cancels the main task, which runs: only the second one raises."""
    service, tasks = serve(guests("endless", "greeting")), list[asyncio.Task[None]]()

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        service.call("endless", "spin", timeout=LONG)

    def press_twice() -> None:
        until(lambda: bool(tasks))
        time.sleep(BEGUN)
        signal.raise_signal(signal.SIGINT)
        until(lambda: tasks[0].cancelling() > 0)  # a signal that comes before the first is handled is the same one
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sender = threading.Thread(target=press_twice)
    try:
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(run())
    finally:
        sender.join()
        signal.signal(signal.SIGINT, before)
    assert works(service)


def test_a_guest_that_ends_before_it_asks_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of a handler ends this call, not the next one."""
    service = serve({"m": assemble('(module (func (export "run")))', ADAPTERS)})
    clock = service._store._watchdog
    if not clock.asked:
        pytest.skip("this Wasmtime does not ask")

    class Raising(dict[int, Any]):
        raised = False

        def __getitem__(self, key: int) -> Any:
            if not self.raised:
                self.raised = True
                raise StopError
            return super().__getitem__(key)

    monkeypatch.setattr(interruption, "_asking", Raising(interruption._asking))
    clock._advance()  # by as much as a call may run for
    with pytest.raises(StopError):
        service.call("m", "run")
    service.call("m", "run")


@pytest.mark.parametrize("start", ["_initialize", "_start"])
@pytest.mark.costly
def test_loading(serve: Serve, start: str) -> None:
    module = assemble(SPINNING.format(start=start), ADAPTERS)
    with alarm(LOADED):
        serve({"m": module})


@pytest.mark.host_side
@pytest.mark.costly
def test_a_start_function(serve: Serve) -> None:
    text = '(module (func $spin (loop $again (br $again))) (start $spin) (func (export "run")))'
    with alarm(LOADED):
        serve({"m": assemble(text, ADAPTERS)})


@pytest.mark.parametrize("kind", KINDS)
def test_the_wait_for_a_pool(kind: str) -> None:
    with pool(ANY_ENGINE, kind, workers=2, timeout=LONG) as service:
        service.call("lab", "echo", [1])
        with alarm():
            service.call("lab", "nap", [round(LONG * 1000)])
        assert service.call("lab", "echo", [2]) == 2
        with pytest.raises(StopError), service:  # nothing is waited for, neither in the block nor at its end
            raise StopError


STORM = """
import random, signal, sys, time
from marine_gen import HostFunction
from marine_runtime.types import Prim
from tests.support.engines import load
from tests.support.pools import lab

class StopError(BaseException):
    pass

def stop(number, frame):
    global shots
    if shots:
        shots -= 1
        raise StopError

def storm():
    global shots
    shots = 3
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 3e-4), random.uniform(1e-5, 3e-4))
    for number in range(10_000):
        service.call("lab", "nap" if number % 3 else "count", [number])

def until_stopped():  # a shot may hit while the one before is handled
    global shots
    try:
        try:
            try:
                storm()
            except StopError:
                shots = 0
                return True
        except StopError:
            shots = 0
            return True
    except StopError:
        return True
    shots = 0  # all were lost, in `__del__`
    return False

shots, caught, random = 0, 0, random.Random(sys.argv[1])
signal.signal(signal.SIGALRM, stop)
host = {name: HostFunction.of(lambda value: None, [Prim.U32]) for name in ("nap", "hold", "die", "blow")}
service = load(lab(), sys.argv[1], "fast", host_functions=host)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    caught += until_stopped()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in range(2):
        assert service.call("lab", "nap", [number]) == number
print("caught" if caught > 10 else caught)
"""


@pytest.mark.parametrize("engine", sampled(["fused", "closures"], "fused".__eq__))
def test_signals_at_any_moment(engine: str) -> None:
    """In callbacks before their first line as well, where nothing can catch what is raised."""
    done = subprocess.run(
        [sys.executable, "-c", STORM, engine, os.environ.get("MARINE_GEN_STORM_SECONDS", "0.8")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=LONG + float(os.environ.get("MARINE_GEN_STORM_SECONDS", "0")),
    )
    assert (done.returncode, done.stdout) == (0, "caught\n"), done.stderr
    assert "callback" not in done.stderr  # what is raised in a `__del__` has nowhere to go, and is reported


def test_a_signal_that_cancels_a_task(serve: Serve) -> None:
    """As the interrupt of a notebook does in a cell that awaits: nothing is raised before the next `await`."""
    service = serve(guests("endless", "greeting"))
    ended = []

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        signal.signal(signal.SIGALRM, lambda *_: task.cancel() and None)
        signal.setitimer(signal.ITIMER_REAL, BEGUN)
        try:
            service.call("endless", "spin", timeout=4 * BEGUN)
        except CallTimeoutError as error:
            ended.append(error)
        await asyncio.sleep(LONG)

    before, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    try:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(run())
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)
    assert len(ended) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="its C library is used")
def test_a_host_function_that_waits_in_c(serve: Serve) -> None:
    """The exception ends the call as soon as that is over."""
    wait = ctypes.CDLL(None).usleep
    service = serve(
        lab(), host_functions=host_functions() | {"nap": HostFunction.of(lambda _: wait(300_000), [Prim.U32])}
    )
    start = time.monotonic()
    with alarm():
        service.call("lab", "nap", [1])
    assert time.monotonic() - start < LONG

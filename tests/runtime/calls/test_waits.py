"""Waits that signals can't end, as the page about host programs says, and the thread by which they end calls."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marine_runtime import HostFunction, ModuleConfig, Service
from marine_runtime.types import Prim
from marine_runtime.wasm.deadline import SLICE, TICK
from tests.support.alarms import BEGUN, StopError, alarm
from tests.support.engines import Configuration, guests, load
from tests.support.pools import LONG, host_functions, lab, until
from tests.support.wasi import Player, load_configured, wasi_guest

pytestmark = [
    pytest.mark.host_side,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX has these timers"),
]

Serve = Callable[..., Service]


def test_a_named_pipe(configuration: Configuration, tmp_path: Path) -> None:
    """The exception waits until somebody opens the other end, and ends the call then."""
    os.mkfifo(tmp_path / "pipe")
    settings = {"m": ModuleConfig(mapped_dirs={"d": str(tmp_path)})}
    with load_configured({"m": wasi_guest()}, configuration, settings) as service:
        guest, opened = Player(service, "m"), threading.Event()

        def open_later() -> None:
            time.sleep(6 * BEGUN)
            with open(tmp_path / "pipe", "wb", buffering=0):
                opened.set()

        thread = threading.Thread(target=open_later)
        thread.start()
        with alarm():
            guest.open(3, "pipe")
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)  # if the alarm was earlier than the guest
        thread.join()
        os.close(reader)
        assert opened.is_set()
        assert guest.open(3, ".", 2) > 0  # the service works


def test_standard_input_is_empty(configuration: Configuration) -> None:
    with load_configured({"m": wasi_guest()}, configuration, {}) as service:
        assert Player(service, "m").read(0) == b""


@pytest.mark.skipif(not hasattr(ctypes, "pythonapi"), reason="CPython has this function")
def test_an_exception_for_another_thread(configuration: Configuration) -> None:
    """Signals do not interrupt calls of other threads, but this does."""
    begun, caught = threading.Event(), list[BaseException]()

    def work() -> None:
        host = host_functions() | {"nap": HostFunction.of(lambda _: begun.set(), [Prim.U32])}
        with load(lab(), configuration.engine, configuration.call_layer, host_functions=host) as service:
            service.call("lab", "nap", [1])
            try:
                service.call("endless", "spin")
            except StopError as error:
                caught.append(error)
            assert service.call("greeting", "greeting", ["x"]) == "Hi, x"

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert begun.wait(LONG)
    time.sleep(BEGUN)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(StopError))
    thread.join(LONG)
    assert not thread.is_alive()
    assert len(caught) == 1


def test_a_guest_lets_signals_be_handled_every_30_ms() -> None:
    assert pytest.approx(0.03) == SLICE * TICK


def test_frequent_calls_share_one_thread(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that finds none starts it; it ends when calls do."""
    service = serve(guests("greeting"))
    clock: Any = service._store._watchdog
    until(lambda: not clock.running)
    started = []
    start = clock._start
    monkeypatch.setattr(clock, "_start", lambda: started.append(start()))
    for _ in range(1000):
        service.call("greeting", "greeting", ["x"])
    assert clock.running
    assert len(started) == 1
    until(lambda: not clock.running)

"""Breaking off a call from another thread, as tools do when the user presses Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

import pytest

from marine_runtime import Service
from marine_runtime.calls.state import ServiceState
from marine_runtime.errors import CallTimeoutError
from marine_runtime.wasm import open_runtime
from tests.support.engines import Configuration, guests

HOUR = 3600.0


def test_a_running_guest_is_stopped(serve: Callable[..., Service], configuration: Configuration) -> None:
    service = serve(guests("endless", "greeting"))
    runtime = open_runtime(configuration.call_layer)
    stop = threading.Event()

    def press() -> None:
        while not stop.wait(0.05):  # until the guest has heard of it: it may not have begun
            runtime.interrupt()

    presser = threading.Thread(target=press)
    start = monotonic()
    presser.start()
    try:
        with pytest.raises(CallTimeoutError):
            service.call("endless", "spin", timeout=HOUR)
    finally:
        stop.set()
        presser.join()
    assert monotonic() - start < HOUR / 10
    assert service.state is ServiceState.FAILED
    # The clock of later calls is right again.
    assert service.call("greeting", "greeting", ["x"], timeout=HOUR) == "Hi, x"
    with pytest.raises(CallTimeoutError):
        service.call("endless", "spin", timeout=0.02)


def test_nothing_happens_between_calls(serve: Callable[..., Service], configuration: Configuration) -> None:
    service = serve(guests("greeting"))
    open_runtime(configuration.call_layer).interrupt()
    assert service.call("greeting", "greeting", ["x"], timeout=HOUR) == "Hi, x"
    assert service.state is ServiceState.READY

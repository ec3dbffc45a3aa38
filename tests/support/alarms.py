"""Signals whose handlers raise while a test waits for something."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from tests.support.pools import LONG

BEGUN = 0.05
"""Seconds after which a call has begun, on most machines."""


class StopError(BaseException):
    """The exception of the handler; nothing but the tests catches it."""


@contextmanager
def alarm(seconds: float = BEGUN) -> Iterator[None]:
    """Raise StopError after `seconds`, and again where nobody heard of it; the block must not be over by itself."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise StopError

    before = signal.signal(signal.SIGALRM, stop)
    collects = gc.isenabled()
    gc.disable()  # what is raised in a `__del__` is lost
    start, timer = time.monotonic(), (0.0, 0.0)
    try:
        with pytest.raises(StopError):  # noqa: PT012  # a timer around what is tested
            timer = signal.setitimer(signal.ITIMER_REAL, seconds, LONG)
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)  # it may be what ends tests that hang
        signal.signal(signal.SIGALRM, before)
        if collects:
            gc.enable()
    assert time.monotonic() - start < LONG

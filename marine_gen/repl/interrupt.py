"""Ctrl-C while a command runs: the guest is stopped, the loop goes on.

A guest that spins runs no Python, so no signal handler either. The C level writes the signal to a socket, a thread
hears of it and ends the time limit of the running call (`WasmRuntime.interrupt`). Python code gets KeyboardInterrupt as
always, except around calls: raised inside the runtime it could leave a service busy for ever, so there it is raised in
host functions only, whose failures the runtime carries through Wasm.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import marine_runtime

_AGAIN = 0.05  # seconds: the guest may not have begun when the key was pressed
_RUNTIME = os.path.dirname(marine_runtime.__file__)


class Interrupt:
    """The state of Ctrl-C during one command.

    Attributes:
        pressed: whether it was pressed.
        calling: whether the runtime is calling guests now.
    """

    def __init__(self) -> None:
        self.pressed = False
        self.calling = False

    @contextmanager
    def calling_guests(self) -> Iterator[None]:
        """Around calls of guests, which the runtime itself interrupts."""
        self.calling = True
        try:
            yield
        finally:
            self.calling = False


@contextmanager
def interruptible(stop_guests: Callable[[], None]) -> Iterator[Interrupt]:
    """Make Ctrl-C end the block; `stop_guests` stops running guests, from another thread."""
    state = Interrupt()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler  # someone else decides
    ):
        yield state
        return

    def handle(number: int, frame: FrameType | None) -> None:
        state.pressed = True
        if not state.calling or _in_host_function(frame):
            raise KeyboardInterrupt

    heard, told = socket.socketpair()
    told.setblocking(False)
    over = threading.Event()

    def watch() -> None:
        while data := heard.recv(16):
            if signal.SIGINT in data:
                state.pressed = True
                while not over.wait(_AGAIN):
                    stop_guests()

    watcher = threading.Thread(target=watch, daemon=True, name="marine-gen REPL Ctrl-C")
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, handle)
    watcher.start()
    try:
        yield state
    finally:
        state.calling = True  # no exception from here on
        over.set()
        signal.set_wakeup_fd(before)
        told.close()
        watcher.join()
        heard.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _in_host_function(frame: FrameType | None) -> bool:
    """True if `frame` is code that a guest called, and not a part of the runtime itself."""
    if frame is None or _of_runtime(frame):
        return False
    while frame is not None:
        if frame.f_code.co_name == "callback" and _of_runtime(frame):
            return True
        frame = frame.f_back
    return False


def _of_runtime(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((_RUNTIME, "<marine_runtime"))

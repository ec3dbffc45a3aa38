"""Ctrl-C while a guest runs.

Python delivers a signal between its own instructions, and a guest that spins in Wasm runs none. The C level writes the
signal to a socket at once, so a thread hears of it; when the main thread has not answered shortly after, the thread
ends the process. Everything that calls guests from the command line does so inside `interruptible`.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from marine_gen.console.report import report_interrupted

_GRACE = 0.5  # seconds
_EXIT_CODE = 130


@contextmanager
def interruptible() -> Iterator[None]:
    """Make Ctrl-C work inside the block, whatever runs there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # someone else decides
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    answered = threading.Event()

    def watch() -> None:
        while data := heard.recv(16):
            if signal.SIGINT in data and not answered.wait(_GRACE):
                report_interrupted()
                os._exit(_EXIT_CODE)

    watcher = threading.Thread(target=watch, daemon=True, name="marine-gen Ctrl-C")
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        answered.set()
        signal.set_wakeup_fd(before)
        told.close()
        watcher.join()
        heard.close()

"""Handlers of the signals by which Wasmtime notices traps.

Wasmtime installs them when the first `wasmtime.Engine` of the process is made. `faulthandler.enable()` and `disable()`
put others in their place, and the next trap of a guest would end the process. So Wasmtime's are put back after both.
A program may hold the functions of `faulthandler` themselves, so they are looked at as well when a service that has
been idle is called. Handlers of other libraries stay: a virtual machine for Java, or another runtime for Wasm, needs
its own, and passes on what is not its own to the ones that it found.

A thread that blocks these signals, as threads of uWSGI block all, is ended by the system at the first trap. So a thread
that loads or calls a service lets them through.

While Wasmtime's handlers are in front, a fault outside of Wasm ends the process without the traceback of faulthandler,
unless that was enabled before the first service was loaded: they call what was there before them.
"""

from __future__ import annotations

import ctypes
import faulthandler
import functools
from collections.abc import Callable

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm import ffi

_signal: Any = __import__("_signal")  # `signal` imports much

_SIZE = 256  # bytes; a `struct sigaction` has 152 on Linux, and fewer elsewhere
_NAMES = ("SIGSEGV", "SIGILL", "SIGFPE", "SIGBUS")
_NO_HANDLER = (0, 1)  # SIG_DFL and SIG_IGN


class _Symbol(ctypes.Structure):
    """`Dl_info`."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class TrapSignals:
    """The handlers of Wasmtime in this process. Make it when there is an engine."""

    def __init__(self) -> None:
        self._handlers: dict[int, bytes] = {}
        try:
            libc = ctypes.CDLL(None)
            self._sigaction, self._dladdr = libc.sigaction, libc.dladdr
        except (AttributeError, OSError, TypeError):
            return  # not POSIX, where nothing is displaced
        self._sigaction.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
        self._dladdr.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        ours = self._library_of(ffi.function_address("wasm_engine_new"))
        raises: Any = ctypes.pythonapi.PyErr_CheckSignals
        self._python = self._library_of(ctypes.cast(raises, ctypes.c_void_p).value or 0)
        for number in (int(getattr(_signal, name)) for name in _NAMES if hasattr(_signal, name)):
            handler = self._handler(number)
            if ours and self._library_of(_address(handler)) == ours:
                self._handlers[number] = handler
        if self._handlers:
            for name in ("enable", "disable"):
                setattr(faulthandler, name, self._before_restoring(getattr(faulthandler, name)))

    def admit(self) -> None:
        """Let this thread get the signals."""
        if self._handlers:
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, self._handlers)

    def restore(self) -> None:
        """Put the handlers back in whose place there are some of Python, or none."""
        for number, handler in self._handlers.items():
            found = _address(self._handler(number))
            if found != _address(handler) and (found in _NO_HANDLER or self._library_of(found) == self._python):
                self._sigaction(number, handler, None)

    def _handler(self, number: int) -> bytes:
        room = ctypes.create_string_buffer(_SIZE)
        self._sigaction(number, None, room)
        return room.raw

    def _library_of(self, address: int) -> int:
        symbol = _Symbol()
        found = address not in _NO_HANDLER and self._dladdr(address, ctypes.addressof(symbol))
        return symbol.base or 0 if found else 0

    def _before_restoring(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            finally:
                self.restore()

        return call


def _address(handler: bytes) -> int:
    """The function of a `struct sigaction`: it comes first in every layout. Some of the other bytes may be anything."""
    return int.from_bytes(handler[:8], "little")


@functools.cache
def trap_signals() -> TrapSignals:
    """Those of this process. Ask for them only when there is a `wasmtime.Engine`."""
    return TrapSignals()

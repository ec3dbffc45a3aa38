"""The stack of the current thread, and the part of it that Wasm gets.

Wasm runs on the stack of the thread that calls it. Wasmtime stops a guest at its own limit, which says nothing about
how much the thread really has: a guest that goes beyond that ends the process. So the limit is taken from the thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
from _thread import _local as local
from _thread import get_ident, get_native_id, stack_size

DEFAULT = 2 << 20
"""Bytes of stack for Wasm, as in Marine, where threads have enough."""

ASYNCHRONOUS = 2 << 20
"""Bytes of stack of Wasmtime's asynchronous calls, which we have none of. It ends the process at a larger limit."""

_SMALLEST = 1 << 14
_SHARE = 3  # Python needs the rest: below the guest's frames, and above them for what the guest calls
_USUAL = 1 << 20  # of a thread, where the system does not say
_ATTRIBUTES = 256  # bytes; a `pthread_attr_t` has at most 64 on systems that we know

_known = local()


def default_stack() -> int:
    """Bytes of stack for Wasm in services of this thread: `DEFAULT`, or the power of two that is safe below it."""
    available = thread_stack() // _SHARE
    size = DEFAULT
    while size > available and size > _SMALLEST:
        size //= 2
    return size


def thread_stack() -> int:
    """Bytes of stack that the current thread has."""
    main = _is_main_thread()
    if sys.platform != "win32" and main:
        # The system grows this stack up to a limit that may change. Pthreads would read all mappings of the process
        # to say the same.
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if soft != resource.RLIM_INFINITY:
            return soft
    if sys.platform == "linux":
        size: int = getattr(_known, "size", 0)
        if not size:
            size = _known.size = _from_pthreads()
        if size:
            return size
    return (0 if main else stack_size()) or _USUAL


def _is_main_thread() -> bool:
    """True in the main thread; told without the import of `threading` where the system numbers threads that way."""
    if sys.platform == "linux":
        return get_native_id() == os.getpid()
    import threading

    return get_ident() == threading.main_thread().ident


def _from_pthreads() -> int:
    """The size from the C library; 0 when it does not say."""
    try:
        library = ctypes.CDLL(None)
        ask, read, free = library.pthread_getattr_np, library.pthread_attr_getstack, library.pthread_attr_destroy
        library.pthread_self.restype = ctypes.c_size_t
        ask.argtypes = (ctypes.c_size_t, ctypes.c_void_p)
        attributes = ctypes.create_string_buffer(_ATTRIBUTES)
        if ask(library.pthread_self(), attributes):
            return 0
        address, size = ctypes.c_void_p(), ctypes.c_size_t()
        failed = read(attributes, ctypes.byref(address), ctypes.byref(size))
        free(attributes)
    except (AttributeError, OSError):
        return 0
    return 0 if failed else size.value

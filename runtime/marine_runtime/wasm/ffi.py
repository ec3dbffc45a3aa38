"""Callbacks, views, options and addresses: the parts of Wasmtime's C API beyond its objects.

Prototypes take plain integer addresses, because converting arguments is most of what a call through the binding costs;
those of the call itself are converted once per call site. `problem()` says whether the library is as this package
expects; when it is not, the caller uses the public layer.
"""

from __future__ import annotations

import ctypes
import sys
from types import FunctionType

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.capi.library import address_of, bare_function, brief_function, function
from marine_runtime.wasm.capi.objects import Func, NativeStore, extern
from marine_runtime.wasm.capi.prototypes import EXTERN_SIZE, KINDS, PROTOTYPES, VALUE_SIZE
from marine_runtime.wasm.capi.verdict import verdict

__all__ = ["VALUE_SIZE"]

_pointer = ctypes.c_void_p

Callback = ctypes.CFUNCTYPE(ctypes.c_size_t, _pointer, _pointer, _pointer, ctypes.c_size_t)
"""`wasmtime_func_unchecked_callback_t`: (env, caller, values, count) -> trap address or 0."""

DeadlineCallback = ctypes.CFUNCTYPE(ctypes.c_size_t, _pointer, _pointer, ctypes.POINTER(ctypes.c_uint64), _pointer)
"""The callback of epoch deadlines: (context, data, ticks until the next, kind of update) -> error address or 0."""

_view_from_memory = ctypes.pythonapi.PyMemoryView_FromMemory
_view_from_memory.restype = ctypes.py_object
_view_from_memory.argtypes = [_pointer, ctypes.c_ssize_t, ctypes.c_int]
_PYBUF_WRITE = 0x200
_MADV_DONTNEED = 4


FUNC_CALL = "wasmtime_func_call_unchecked"
"""The C function that runs a Wasm function: (context, function, values, how many, where to put a trap)."""


def problem() -> str | None:
    """The reason why the fast layer can't be used with the installed library, or None."""
    return verdict().calls


def deadline_problem() -> str | None:
    """The reason why the callback of epoch deadlines can't be used with the installed library, or None."""
    return verdict().deadline


def memory_creator_problem() -> str | None:
    """The reason why the host memory creator of the C API can't be used with the installed library, or None."""
    return verdict().creator


def set_option(config: Any, name: str, value: int) -> None:
    """Set an option of engines. The properties of wasmtime-py are not there for all of them in every version."""
    function(f"wasmtime_config_{name}_set")(_address(config.ptr()), value)


def set_deadline_callback(store: Any, callback: Any, data: int) -> None:
    """Let `store` call `callback`, a `DeadlineCallback` that must outlive it, with `data` at its epoch deadline."""
    set_callback = function("wasmtime_store_epoch_deadline_callback")
    set_callback(_address(store.ptr()), _address(callback), data, None)


def prepared_call(name: str, *arguments: int) -> tuple[Any, ...]:
    """The arguments of a C function in the form that ctypes passes on as they are, for a prototype without parameters.

    To convert integers takes as long as the rest of a call.
    """
    kinds = [KINDS[kind] for kind in PROTOTYPES[name][1:]]
    return tuple(kind.from_param(argument) for kind, argument in zip(kinds, arguments, strict=True))


class WasmtimeLibrary:
    """The prototypes, bound once. Build it only after `problem()` gave None.

    Attributes:
        func_call: takes what `prepared_call` made.
    """

    def __init__(self) -> None:
        self.func_call = bare_function(FUNC_CALL)
        self.memory_data = function("wasmtime_memory_data")
        self.memory_size = function("wasmtime_memory_data_size")
        self.trap_new = function("wasmtime_trap_new")
        self.set_epoch_deadline = brief_function("wasmtime_context_set_epoch_deadline")


def view(address: int, size: int) -> memoryview:
    """A writable view of `size` bytes at `address`, which must stay mapped while the view is used."""
    made: memoryview = _view_from_memory(address, size, _PYBUF_WRITE)
    return made


def discard(address: int, size: int) -> None:
    """Tell the system that the pages at `address` are not needed; they read as zeros afterwards. Linux only."""
    if sys.platform == "linux" and size > 0:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), _MADV_DONTNEED)


def function_address(name: str) -> int:
    """Address of a function of the C API."""
    return address_of(name)


def set_memory_creator(config: Any, env: int, new_memory: int) -> None:
    """Make `new_memory`, a `wasmtime_new_memory_callback_t` over `env`, the creator of all memories.

    Images of initial data are switched off, as Wasmtime maps them into memories of its own only: with images it panics
    on a memory that the host made.
    """
    set_option(config, "memory_init_cow", False)
    creator = (ctypes.c_uint64 * 3)(env, new_memory, 0)
    set_option(config, "host_memory_creator", ctypes.addressof(creator))


def new_host_function(store: NativeStore, params: str, results: str, callback: Any) -> Any:
    """A Wasm function over `callback` (a `Callback` object that must outlive the store), with a signature in codes."""
    made = extern(ctypes.create_string_buffer(EXTERN_SIZE))
    kind = store.engine.func_type(params, results)
    function("wasmtime_func_new_unchecked")(store.context, kind, _address(callback), None, None, made.handle)
    assert isinstance(made, Func)  # the kind of functions is 0
    return made


def binding_callback() -> FunctionType | None:
    """The function of wasmtime-py that Wasm enters for every import made of Python; None when it is not found."""
    import gc

    from wasmtime import _func

    kept = getattr(getattr(_func, "trampoline", None), "_objects", None)
    thunks = kept.values() if isinstance(kept, dict) else ()
    found = (item for thunk in thunks for item in gc.get_referents(thunk) if isinstance(item, FunctionType))
    return next(found, None)


def _address(pointer: Any) -> int:
    value = pointer if isinstance(pointer, int) else ctypes.cast(pointer, _pointer).value
    assert value is not None
    return value

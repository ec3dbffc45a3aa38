"""Everything of wasmtime-py that is private, in one place: C entry points, addresses, structs.

Prototypes are our own and take plain integer addresses, because converting arguments is most of what a call through
the binding costs; those of the call itself are converted once per call site. `problem()` says whether the surface is as
this file expects; when it is not, the caller uses the public layer.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import wasmtime

VALUE_SIZE = 16  # bytes of a `wasmtime_val_raw_t`

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

_size = ctypes.c_size_t
_FUNCTIONS: Mapping[str, tuple[Any, ...]] = {
    "wasmtime_context_set_epoch_deadline": (None, _pointer, ctypes.c_uint64),
    FUNC_CALL: (_pointer, _pointer, _pointer, _pointer, _size, _pointer),
    "wasmtime_func_new_unchecked": (None, _pointer, _pointer, _pointer, _pointer, _pointer, _pointer),
    "wasmtime_instance_export_get": (ctypes.c_bool, _pointer, _pointer, _pointer, _size, _pointer),
    "wasmtime_memory_data": (_pointer, _pointer, _pointer),
    "wasmtime_memory_data_size": (_size, _pointer, _pointer),
    "wasmtime_trap_new": (_pointer, ctypes.c_char_p, _size),
}
"""C functions of the fast layer: the result, then the parameters."""

_DEADLINE: Mapping[str, tuple[Any, ...]] = {
    "wasmtime_store_epoch_deadline_callback": (None, _pointer, _pointer, _pointer, _pointer),
    "wasmtime_error_new": (_pointer, ctypes.c_char_p),
}
"""C functions of epoch deadlines."""

_OPTIONS: Mapping[str, Any] = {
    "memory_may_move": ctypes.c_bool,
    "max_wasm_stack": _size,
    "memory_init_cow": ctypes.c_bool,
    "host_memory_creator": _pointer,
}
"""Options of engines and the types of their values."""


def problem() -> str | None:
    """The reason why the fast layer can't be used with the installed binding, or None.

    What is compared is what the binding declares, which is made from the headers of its library.
    """
    if sys.byteorder != "little":
        return "the host is not little-endian"
    try:
        private = wasmtime._ffi
        for structure, size in ((private.wasmtime_val_raw_t, VALUE_SIZE), (private.wasmtime_func_t, 16)):
            if ctypes.sizeof(structure) != size:
                return f"{structure.__name__} is not {size} bytes long"
        different = _different({**_FUNCTIONS, **_setters("memory_may_move", "max_wasm_stack")})
        if different:
            return different
        methods: tuple[tuple[type, str], ...] = (
            (wasmtime.Store, "_context"),
            (wasmtime.Func, "_from_raw"),
            (wasmtime.Trap, "_from_ptr"),
            (wasmtime.WasmtimeError, "_from_ptr"),
        )
        for owner, attribute in methods:
            getattr(owner, attribute)
        _ = wasmtime._extern.wrap_extern
        for holder, attribute in (
            (wasmtime.Func, "_func"),
            (wasmtime.Memory, "_memory"),
            (wasmtime.Instance, "_instance"),
        ):
            if attribute not in holder.__annotations__:
                return f"{holder.__name__} has no `{attribute}`"
    except AttributeError as missing:
        return str(missing)
    return None


def _setters(*options: str) -> dict[str, tuple[Any, ...]]:
    return {f"wasmtime_config_{option}_set": (None, _pointer, _OPTIONS[option]) for option in options}


def _different(functions: Mapping[str, tuple[Any, ...]]) -> str | None:
    """The first function that the binding declares otherwise than `functions`, by the widths of its values."""
    for name, ours in functions.items():
        function = getattr(wasmtime._ffi.dll, name)
        theirs = (function.restype, *(function.argtypes or ()))
        if [_width(item) for item in ours] != [_width(item) for item in theirs]:
            return f"`{name}` has another prototype"
    return None


def _width(kind: Any) -> int:
    return 0 if kind is None else ctypes.sizeof(kind)


def _prototype(name: str, restype: Any, *argtypes: Any) -> Any:
    """A C function under our own prototype; the GIL is released around it, so that watchdogs and others run."""
    return ctypes.CFUNCTYPE(restype, *argtypes)(_address(getattr(wasmtime._ffi.dll, name)))


def _brief_prototype(name: str, restype: Any, *argtypes: Any) -> Any:
    """The same with the GIL held, for functions that only set a number.

    Releasing the GIL costs more than they do, and where other threads want it, a call waits to get it back.
    """
    return ctypes.PYFUNCTYPE(restype, *argtypes)(_address(getattr(wasmtime._ffi.dll, name)))


def set_option(config: wasmtime.Config, name: str, value: int) -> None:
    """Set an option of engines. The properties of the binding are not there for all of them in every version."""
    (function, prototype), *_ = _setters(name).items()
    _prototype(function, *prototype)(_address(config.ptr()), value)


def deadline_problem() -> str | None:
    """The reason why the callback of epoch deadlines can't be used with the installed binding, or None."""
    try:
        return _different(_DEADLINE)
    except AttributeError as missing:
        return str(missing)


def set_deadline_callback(store: wasmtime.Store, callback: Any, data: int) -> None:
    """Let `store` call `callback`, a `DeadlineCallback` that must outlive it, with `data` at its epoch deadline."""
    name = "wasmtime_store_epoch_deadline_callback"
    _function(name, *_DEADLINE[name])(_address(store.ptr()), ctypes.cast(callback, _pointer), data, None)


def new_error(text: bytes) -> int:
    """The address of a new `wasmtime_error_t`, for Wasmtime to own."""
    made: int = _function("wasmtime_error_new", *_DEADLINE["wasmtime_error_new"])(text)
    return made


@cache
def _function(name: str, *prototype: Any) -> Any:
    return _prototype(name, *prototype)


def prepared_call(name: str, *arguments: int) -> tuple[Any, ...]:
    """The arguments of a C function in the form that ctypes passes on as they are, for a prototype without parameters.

    To convert integers takes as long as the rest of a call.
    """
    kinds = _FUNCTIONS[name][1:]
    return tuple(kind.from_param(argument) for kind, argument in zip(kinds, arguments, strict=True))


class WasmtimeLibrary:
    """The prototypes, bound once. Build it only after `problem()` gave None.

    Attributes:
        func_call: takes what `prepared_call` made.
    """

    def __init__(self) -> None:
        self.func_call = _prototype(FUNC_CALL, _FUNCTIONS[FUNC_CALL][0])
        self.func_new, self.memory_data, self.memory_size, self.trap_new = (
            _prototype(name, *_FUNCTIONS[name])
            for name in (
                "wasmtime_func_new_unchecked",
                "wasmtime_memory_data",
                "wasmtime_memory_data_size",
                "wasmtime_trap_new",
            )
        )
        name = "wasmtime_context_set_epoch_deadline"
        self.set_epoch_deadline = _brief_prototype(name, *_FUNCTIONS[name])


def context_address(store: wasmtime.Store) -> int:
    """Address of the store's context. Valid while the store is open."""
    return _address(store._context())


def func_address(function: wasmtime.Func) -> int:
    """Address of the function's handle. Valid while `function` lives."""
    return ctypes.addressof(function._func)


def memory_address(memory: wasmtime.Memory) -> int:
    """Address of the memory's handle. Valid while `memory` lives."""
    return ctypes.addressof(memory._memory)


def export(store: wasmtime.Store, instance: wasmtime.Instance, name: str) -> Any:
    """The export `name` of an instance; raises KeyError when it has none."""
    text, found = name.encode(), wasmtime._ffi.wasmtime_extern_t()
    data = ctypes.create_string_buffer(text, len(text)) if text else ctypes.create_string_buffer(1)
    if not wasmtime._ffi.wasmtime_instance_export_get(
        store._context(), ctypes.byref(instance._instance), data, len(text), ctypes.byref(found)
    ):
        raise KeyError(name)
    return wasmtime._extern.wrap_extern(found)


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
    return _address(getattr(wasmtime._ffi.dll, name))


def memory_creator_problem() -> str | None:
    """The reason why the host memory creator of the C API can't be used with the installed binding, or None."""
    try:
        private = wasmtime._ffi
        if different := _different(_setters("host_memory_creator", "memory_init_cow")):
            return different
        _ = private.dll.wasmtime_error_new
        for structure, words in ((private.wasmtime_memory_creator_t, 3), (private.wasmtime_linear_memory_t, 4)):
            if ctypes.sizeof(structure) != 8 * words:
                return f"{structure.__name__} is not {8 * words} bytes long"
    except AttributeError as missing:
        return str(missing)
    return None


def set_memory_creator(config: wasmtime.Config, env: int, new_memory: int) -> None:
    """Make `new_memory`, a `wasmtime_new_memory_callback_t` over `env`, the creator of all memories.

    Images of initial data are switched off, as Wasmtime maps them into memories of its own only: with images it panics
    on a memory that the host made.
    """
    set_option(config, "memory_init_cow", False)
    creator = (ctypes.c_uint64 * 3)(env, new_memory, 0)
    set_option(config, "host_memory_creator", ctypes.addressof(creator))


def new_host_function(
    library: WasmtimeLibrary, store: wasmtime.Store, kind: wasmtime.FuncType, callback: Any
) -> wasmtime.Func:
    """A Wasm function over `callback` (a `Callback` object that must outlive the store)."""
    raw = wasmtime._ffi.wasmtime_func_t()
    library.func_new(
        context_address(store), _address(kind.ptr()), ctypes.cast(callback, _pointer), None, None, ctypes.addressof(raw)
    )
    return wasmtime.Func._from_raw(raw)


def take_error(address: int) -> wasmtime.Trap | wasmtime.WasmtimeError:
    """Own the `wasmtime_error_t` at `address` as an exception object."""
    pointer = ctypes.cast(address, ctypes.POINTER(wasmtime._ffi.wasmtime_error_t))
    return wasmtime.WasmtimeError._from_ptr(pointer)


def take_trap(address: int) -> wasmtime.Trap:
    """Own the `wasm_trap_t` at `address` as an exception object."""
    return wasmtime.Trap._from_ptr(ctypes.cast(address, ctypes.POINTER(wasmtime._ffi.wasm_trap_t)))


def _address(pointer: Any) -> int:
    value = ctypes.cast(pointer, _pointer).value
    assert value is not None
    return value

"""Wasmtime's objects, over its C API: the part of wasmtime-py's public API that the runtime uses, under its names.

So the same code runs over either. Handles are addresses, and what owns one frees it. Functions, memories and tables
belong to their store; the buffers here hold what the C API calls them by.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from itertools import repeat

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.capi.faults import ByteVector, check, take_trap
from marine_runtime.wasm.capi.library import brief_function, function
from marine_runtime.wasm.capi.prototypes import (
    EXTERN_OF,
    EXTERN_SIZE,
    FUNC_SIZE,
    INSTANCE_SIZE,
    VALUE_OF,
    VALUE_ROOM,
    VALUE_SIZE,
)

_FUNC, _TABLE, _MEMORY = 0, 2, 3  # kinds of externs
_FUNCREF = 5  # a kind of values
_NO_MAXIMUM = 0xFFFFFFFF
_Slot = ctypes.c_size_t

_VALUE_KINDS = {"i": 0, "I": 0, "q": 1, "Q": 1, "f": 2, "d": 3}
"""Kinds of values by the codes of the runtime."""


class Config:
    """Options of engines: every attribute that is assigned is one."""

    def __init__(self) -> None:
        self.__dict__["_address"] = function("wasm_config_new")()

    def ptr(self) -> int:
        """Its address."""
        address: int = self.__dict__["_address"]
        return address

    def __setattr__(self, name: str, value: int) -> None:
        function(f"wasmtime_config_{name}_set")(self.ptr(), value)


class NativeEngine:
    """A compiler of modules, with the settings of everything that runs; it takes its `config`."""

    def __init__(self, config: Config) -> None:
        self._delete = function("wasm_engine_delete")
        self._delete_func_type = function("wasm_functype_delete")
        self._func_types: dict[tuple[str, str], int] = {}
        self._increment = brief_function("wasmtime_engine_increment_epoch")
        self._address: int = function("wasm_engine_new_with_config")(config.ptr())

    def ptr(self) -> int:
        """Its address."""
        return self._address

    def func_type(self, params: str, results: str) -> int:
        """The address of the `wasm_functype_t` for codes of the runtime. One that was used belongs to its engine."""
        key = params, results
        if key not in self._func_types:
            self._func_types[key] = _func_type(params, results)
        return self._func_types[key]

    def increment_epoch(self) -> None:
        """Advance the epoch."""
        self._increment(self._address)

    def __del__(self) -> None:
        if address := self.__dict__.pop("_address", 0):
            for kind in self._func_types.values():
                self._delete_func_type(kind)
            self._delete(address)


class NativeModule:
    """A compiled module."""

    def __init__(self, engine: NativeEngine, wasm: bytes) -> None:
        self._own("wasmtime_module_new", engine, wasm)

    @classmethod
    def deserialize(cls, engine: NativeEngine, code: bytes) -> NativeModule:
        """The module that `serialize` gave."""
        made = cls.__new__(cls)
        made._own("wasmtime_module_deserialize", engine, code)
        return made

    @classmethod
    def deserialize_file(cls, engine: NativeEngine, path: str) -> NativeModule:
        """The same out of a file, which is mapped."""
        made = cls.__new__(cls)
        made._make("wasmtime_module_deserialize_file", engine, os.fsencode(path))
        return made

    @staticmethod
    def validate(engine: NativeEngine, wasm: bytes) -> None:
        """Raise WasmtimeError unless `wasm` is valid."""
        data = bytes(wasm)
        check(function("wasmtime_module_validate")(engine.ptr(), data, len(data)))

    def _own(self, name: str, engine: NativeEngine, content: bytes) -> None:
        data = bytes(content)
        self._make(name, engine, data, len(data))

    def _make(self, name: str, engine: NativeEngine, *given: bytes | int) -> None:
        self._delete = function("wasmtime_module_delete")
        found = _Slot()
        check(function(name)(engine.ptr(), *given, ctypes.addressof(found)))
        self._address = found.value

    def ptr(self) -> int:
        """Its address."""
        return self._address

    def serialize(self) -> bytes:
        """Its machine code."""
        code = ByteVector()
        check(function("wasmtime_module_serialize")(self._address, code.address))
        return code.take()

    def __del__(self) -> None:
        if address := self.__dict__.pop("_address", 0):
            self._delete(address)


class NativeStore:
    """A container of instances and memories; it keeps its `engine`."""

    def __init__(self, engine: NativeEngine) -> None:
        self.engine = engine
        self._delete = function("wasmtime_store_delete")
        self._address: int = function("wasmtime_store_new")(engine.ptr(), None, None)
        self._context: int = function("wasmtime_store_context")(self._address)

    @property
    def context(self) -> int:
        """The address of its context; raises ValueError when it is closed."""
        if not self._context:
            raise ValueError("already closed")
        return self._context

    def ptr(self) -> int:
        """Its address; raises ValueError when it is closed."""
        if not self._address:
            raise ValueError("already closed")
        return self._address

    def set_limits(self, memory_size: int) -> None:
        """Limit the bytes of each memory."""
        function("wasmtime_store_limiter")(self.ptr(), memory_size, -1, -1, -1, -1)

    def set_fuel(self, fuel: int) -> None:
        """Have so much fuel from now on."""
        check(function("wasmtime_context_set_fuel")(self.context, fuel))

    def get_fuel(self) -> int:
        """The fuel that is left."""
        left = ctypes.c_uint64()
        check(function("wasmtime_context_get_fuel")(self.context, ctypes.addressof(left)))
        return left.value

    def set_wasi(self, wasi: Any) -> None:
        """Have the WASI context of a `WasiConfig`, which is used up."""
        check(function("wasmtime_context_set_wasi")(self.context, wasi.take()))

    def close(self) -> None:
        """Free everything in it."""
        address, self._address, self._context = self._address, 0, 0
        if address:
            self._delete(address)

    def __del__(self) -> None:
        if self.__dict__.get("_address"):
            self.close()


class Extern:
    """Something that can be imported.

    Attributes:
        raw: its `wasmtime_extern_t`.
        handle: the address of the function, memory or table in there.
    """

    __slots__ = ("handle", "raw")

    def __init__(self, raw: Any = None) -> None:
        self.raw = raw or ctypes.create_string_buffer(EXTERN_SIZE)
        self.handle = ctypes.addressof(self.raw) + EXTERN_OF


class Func(Extern):
    """A function."""

    __slots__ = ()

    def __call__(self, store: NativeStore) -> None:
        """Call it without arguments, for no results; raises the error or the trap."""
        room, trap = ctypes.create_string_buffer(VALUE_SIZE), _Slot()
        call = function("wasmtime_func_call_unchecked")
        check(call(store.context, self.handle, ctypes.addressof(room), 1, ctypes.addressof(trap)))
        if trap.value:
            raise take_trap(trap.value)


class NativeMemory(Extern):
    """A linear memory."""

    __slots__ = ()

    @classmethod
    def new(cls, store: NativeStore, pages: int) -> NativeMemory:
        """A memory with `pages` of 64 KiB at first and no maximum; raises WasmtimeError."""
        made = cls()
        made.raw[0] = bytes([_MEMORY])
        limits = (ctypes.c_uint32 * 2)(pages, _NO_MAXIMUM)
        kind = function("wasm_memorytype_new")(ctypes.addressof(limits))
        try:
            check(function("wasmtime_memory_new")(store.context, kind, made.handle))
        finally:
            function("wasm_memorytype_delete")(kind)
        return made

    def grow(self, store: NativeStore, pages: int) -> int:
        """Grow by `pages`; the number before. Raises WasmtimeError."""
        before = ctypes.c_uint64()
        grow = function("wasmtime_memory_grow")
        check(grow(store.context, self.handle, pages, ctypes.addressof(before)))
        return before.value


class NativeTable(Extern):
    """A table of functions."""

    __slots__ = ()

    def grow(self, store: NativeStore, by: int, function_: Func) -> int:
        """Grow by so many elements, which are `function_`; the number before. Raises WasmtimeError."""
        before, value = ctypes.c_uint64(), ctypes.create_string_buffer(VALUE_ROOM)
        value[0] = bytes([_FUNCREF])
        ctypes.memmove(ctypes.addressof(value) + VALUE_OF, function_.handle, FUNC_SIZE)
        grow = function("wasmtime_table_grow")
        check(grow(store.context, self.handle, by, ctypes.addressof(value), ctypes.addressof(before)))
        return before.value


_CLASSES = {_FUNC: Func, _TABLE: NativeTable, _MEMORY: NativeMemory}


def extern(raw: Any) -> Extern:
    """The object for a `wasmtime_extern_t` that Wasmtime filled."""
    return _CLASSES.get(raw[0][0], Extern)(raw)


class NativeInstance:
    """An instantiated module."""

    __slots__ = ("_raw", "address")

    def __init__(self, store: NativeStore, module: NativeModule, imports: Sequence[Extern | bytes]) -> None:
        """Instantiate a module with its imports, in order; bytes are what `importable` gave."""
        self._raw, trap = ctypes.create_string_buffer(INSTANCE_SIZE), _Slot()
        self.address = ctypes.addressof(self._raw)
        given = b"".join([item if isinstance(item, bytes) else item.raw.raw for item in imports])
        check(
            function("wasmtime_instance_new")(
                store.context,
                module.ptr(),
                given,
                len(imports),
                self.address,
                ctypes.addressof(trap),
            )
        )
        if trap.value:
            raise take_trap(trap.value)

    def export(self, store: NativeStore, name: str) -> Extern:
        """The export of that name; raises KeyError when there is none."""
        text, raw = name.encode(), ctypes.create_string_buffer(EXTERN_SIZE)
        get = function("wasmtime_instance_export_get")
        if not get(store.context, self.address, text, len(text), ctypes.addressof(raw)):
            raise KeyError(name)
        return extern(raw)

    def importable(self, store: NativeStore, names: Sequence[str]) -> Sequence[bytes]:
        """The `wasmtime_extern_t` of many exports; raises KeyError when there is none of a name."""
        size = EXTERN_SIZE * len(names)
        room, texts = ctypes.create_string_buffer(size), [name.encode() for name in names]
        first = ctypes.addressof(room)
        places = range(first, first + size, EXTERN_SIZE)
        get = function("wasmtime_instance_export_get")
        found = map(get, repeat(store.context), repeat(self.address), texts, map(len, texts), places)
        for name, there in zip(names, found, strict=True):
            if not there:
                raise KeyError(name)
        data = room.raw
        return [data[start : start + EXTERN_SIZE] for start in range(0, size, EXTERN_SIZE)]


def _func_type(params: str, results: str) -> int:
    vectors = [(_Slot * 2)(), (_Slot * 2)()]
    for codes, vector in zip((params, results), vectors, strict=True):
        made = (_Slot * len(codes))(*(function("wasm_valtype_new")(_VALUE_KINDS[code]) for code in codes))
        function("wasm_valtype_vec_new")(ctypes.addressof(vector), len(codes), ctypes.addressof(made))
    address: int = function("wasm_functype_new")(*map(ctypes.addressof, vectors))
    return address


def wat2wasm(text: str) -> bytes:
    """The binary form of a module in the text format; raises WasmtimeError."""
    data, wasm = text.encode(), ByteVector()
    check(function("wasmtime_wat2wasm")(data, len(data), wasm.address))
    return wasm.take()

"""Wasmtime's own WASI preview 1, over the C API, under the names of wasmtime-py."""

from __future__ import annotations

import ctypes

from marine_runtime.wasm.capi.faults import WasmtimeError, check
from marine_runtime.wasm.capi.library import function, preopen_function
from marine_runtime.wasm.capi.objects import Extern, NativeEngine, NativeStore, extern
from marine_runtime.wasm.capi.prototypes import EXTERN_SIZE, PREOPENS
from marine_runtime.wasm.capi.verdict import verdict

_READ_WRITE = 3


class WasiConfig:
    """The files and outputs that a store gives its guests. It is used up by `NativeStore.set_wasi`."""

    def __init__(self) -> None:
        self._address: int = function("wasi_config_new")()

    def inherit_stdout(self) -> None:
        """Write to the standard output of the process."""
        function("wasi_config_inherit_stdout")(self._address)

    def inherit_stderr(self) -> None:
        """Write to the standard error of the process."""
        function("wasi_config_inherit_stderr")(self._address)

    def preopen_dir(self, path: str, guest_path: str) -> None:
        """Open a directory for guests, to read and to write; raises WasmtimeError when that can't be done."""
        prototype = verdict().preopen
        permissions = (True,) if prototype == PREOPENS[0] else (_READ_WRITE, _READ_WRITE)
        if not preopen_function(prototype)(self._address, _text(path), _text(guest_path), *permissions):
            raise WasmtimeError("failed to add preopen dir")

    def take(self) -> int:
        """Its address, for Wasmtime to own."""
        return self._address


class Linker:
    """Provides WASI."""

    def __init__(self, engine: NativeEngine) -> None:
        self._delete = function("wasmtime_linker_delete")
        self._address: int = function("wasmtime_linker_new")(engine.ptr())

    def define_wasi(self) -> None:
        """Provide WASI preview 1."""
        check(function("wasmtime_linker_define_wasi")(self._address))

    def get(self, store: NativeStore, module: str, name: str) -> Extern:
        """The function of that name; raises WasmtimeError when there is none."""
        raw, first, second = ctypes.create_string_buffer(EXTERN_SIZE), module.encode(), name.encode()
        get = function("wasmtime_linker_get")
        address = ctypes.addressof(raw)
        if not get(self._address, store.context, first, len(first), second, len(second), address):
            raise WasmtimeError(f"nothing is defined as {module} {name}")
        return extern(raw)

    def __del__(self) -> None:
        if address := self.__dict__.pop("_address", 0):
            self._delete(address)


def _text(path: str) -> bytes:
    return path.encode() + b"\0"

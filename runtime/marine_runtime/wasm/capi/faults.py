"""Errors of Wasmtime, in the classes that wasmtime-py has for them."""

from __future__ import annotations

import ctypes

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.capi.library import function


class ByteVector:
    """A `wasm_byte_vec_t` that Wasmtime fills; it is freed when its content is taken."""

    __slots__ = ("_raw", "address")

    def __init__(self) -> None:
        self._raw = (ctypes.c_size_t * 2)()
        self.address = ctypes.addressof(self._raw)

    def take(self) -> bytes:
        """The content, once."""
        size, data = self._raw
        content = ctypes.string_at(data, size) if size else b""
        function("wasm_byte_vec_delete")(self.address)
        return content


class WasmtimeError(Exception):
    """An error that Wasmtime reports."""


class ExitTrap(WasmtimeError):  # noqa: N818  # the name that wasmtime-py has
    """A guest has ended itself by `proc_exit`.

    Attributes:
        code: the exit code.
    """

    code: int


class Trap(Exception):  # noqa: N818
    """A trap of Wasm."""


def take_error(address: int) -> WasmtimeError:
    """Own the `wasmtime_error_t` at `address` as an exception."""
    code, text = ctypes.c_int(), ByteVector()
    exited = function("wasmtime_error_exit_status")(address, ctypes.addressof(code))
    function("wasmtime_error_message")(address, text.address)
    message = text.take().decode("utf-8", "replace")
    function("wasmtime_error_delete")(address)
    if not exited:
        return WasmtimeError(message)
    error = ExitTrap(message)
    error.code = code.value
    return error


def take_trap(address: int) -> Trap:
    """Own the `wasm_trap_t` at `address` as an exception."""
    text = ByteVector()
    function("wasm_trap_message")(address, text.address)
    message = text.take().removesuffix(b"\0").decode("utf-8", "replace")
    function("wasm_trap_delete")(address)
    return Trap(message)


def check(error: Any) -> None:
    """Raise the error at this address, if there is one."""
    if error:
        raise take_error(error)

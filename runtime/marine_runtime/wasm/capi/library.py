"""Wasmtime's shared library, as the wheel of wasmtime-py has it, opened without importing that package.

The import takes more time than all that a first call needs. Arguments are plain integers: addresses and numbers.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

from marine_runtime.errors import LoadError
from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.capi.prototypes import KINDS, PREOPEN, PROTOTYPES

_FILES = {"linux": "_libwasmtime.so", "darwin": "_libwasmtime.dylib", "win32": "_wasmtime.dll"}
_PROCESSORS = {"AMD64": "x86_64", "arm64": "aarch64", "ARM64": "aarch64"}


@cache
def package_folder() -> str | None:
    """The folder of the installed package `wasmtime`; None when only its import can tell, out of an archive say."""
    loaded = sys.modules.get("wasmtime")
    if loaded is not None and loaded.__file__:
        return os.path.dirname(loaded.__file__)
    from _frozen_importlib_external import PathFinder  # without all of `importlib`

    spec = PathFinder.find_spec("wasmtime")
    return os.path.dirname(spec.origin) if spec is not None and spec.origin else None


@cache
def library_file() -> str | None:
    """The path of the shared library; None when it is not where wheels have it."""
    folder = package_folder()
    if folder is None or sys.platform not in _FILES:
        return None
    path = os.path.join(folder, f"{sys.platform}-{machine()}", _FILES[sys.platform])
    return path if os.path.isfile(path) else None


def machine() -> str:
    """The processor, in the words of wasmtime-py: `x86_64` or `aarch64`, or what the system calls another one."""
    if hasattr(os, "uname"):
        found = os.uname().machine
    else:
        import platform

        found = platform.machine()
    return _PROCESSORS.get(found, found)


@cache
def _library() -> Any:
    path = library_file()
    if path is not None:
        return ctypes.CDLL(path)
    return declarations().dll  # it knows, or says what is wrong


def declarations() -> Any:
    """The private module of wasmtime-py with its library and its declarations. It is imported for this.

    Raises:
        LoadError: it can't be imported, or does not find its library.
    """
    try:
        import wasmtime
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise LoadError(
            f"wasmtime-py can't be imported ({reason}): install it for this Python and this processor; "
            "a frozen program has to bring its shared library"
        ) from error
    return wasmtime._ffi


def address_of(name: str) -> int:
    """The address of a function of the C API; raises AttributeError when the library has none of that name."""
    address = ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value
    assert address is not None
    return address


@cache
def function(name: str) -> Any:
    """A function of `PROTOTYPES`. The GIL is released around it, so that watchdogs and others run."""
    return _prototype(ctypes.CFUNCTYPE, name, PROTOTYPES[name])


@cache
def bare_function(name: str) -> Any:
    """The same for arguments that were converted before, see `ffi.prepared_call`."""
    return _prototype(ctypes.CFUNCTYPE, name, PROTOTYPES[name][0])


@cache
def brief_function(name: str) -> Any:
    """The same with the GIL held, for functions that only set a number.

    Releasing the GIL costs more than they do, and where other threads want it, a call waits to get it back.
    """
    return _prototype(ctypes.PYFUNCTYPE, name, PROTOTYPES[name])


@cache
def preopen_function(prototype: str) -> Any:
    """`wasi_config_preopen_dir`, under one of its prototypes."""
    return _prototype(ctypes.CFUNCTYPE, PREOPEN, prototype)


def _prototype(make: Any, name: str, prototype: str) -> Any:
    return make(*(KINDS[kind] for kind in prototype))(address_of(name))

"""Machine code of services that were built without it, kept in the user's cache.

A portable build holds Wasm only. What it is compiled to is kept in a directory of the user, under a digest of the Wasm
binary, Wasmtime's version and the machine. Machine code is executed, so the directory is used only when it is the
user's own and nobody else can write to it; every file carries a digest of its content, and what is damaged, or not
accepted by Wasmtime, is compiled and written again. Without such a directory modules are compiled at every load.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path

from marine_runtime.artifact.cache_limit import CODE_FOLDER, note_use, trim
from marine_runtime.config import cache_directory as place
from marine_runtime.config.cache_directory import write_replacing
from marine_runtime.errors import LoadError
from marine_runtime.lazy.digest import sha256
from marine_runtime.wasm import CodeMemoryError, Module, WasmRuntime, wasmtime_version

_DIGEST = sha256(b"").digest_size


def compile_cached(runtime: WasmRuntime, wasm: bytes, begin: Callable[[], None]) -> Module:
    """The compiled module: from the user's cache, where it is put otherwise; `begin` is called before it is compiled.

    Raises:
        LoadError: it is not valid Wasm, or the system refuses memory for its machine code.
    """
    directory = code_directory()
    if directory is None:
        begin()
        return runtime.compile(wasm)
    path = directory / f"{sha256(_machine(runtime) + wasm).hexdigest()}.cwasm"
    try:
        data = path.read_bytes()
        if sha256(data[_DIGEST:]).digest() == data[:_DIGEST]:
            from marine_runtime.wasm.reflection import shape_of

            module = runtime.deserialize(data[_DIGEST:], shape_of(wasm))
            note_use(str(path))
            return module
    except CodeMemoryError:
        raise
    except (OSError, LoadError):
        pass  # it is compiled again
    begin()
    module = runtime.compile(wasm)
    code = module.serialize()
    with contextlib.suppress(OSError):  # a full disk costs time at the next load, nothing else
        write_replacing(path, sha256(code).digest() + code)
        trim()
    return module


def cache_directory() -> Path | None:
    """The user's cache directory, made when missing; None when it is not the user's own or can't be made."""
    return _path(place.cache_directory())


def cache_to_use() -> Path | None:
    """As `cache_directory`; a directory that exists or was chosen, but can't be used, is logged once."""
    return _path(place.cache_to_use())


def own_directory(path: Path) -> Path | None:
    """`path`, made when missing; None when it can't be made, is not the user's own, or others can write to it."""
    return _path(place.own_directory(str(path)))


def code_directory() -> Path | None:
    """The directory with machine code; None when there is no safe place for it."""
    return _path(place.cache_folder(CODE_FOLDER))


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


@cache
def _machine(runtime: WasmRuntime) -> bytes:
    fuel = " fuel" if runtime.metered else ""
    return f"{wasmtime_version()} {platform.system()} {platform.machine()}{fuel}\n".encode()

"""Machine code of services that were built without it, kept in the user's cache.

A portable build holds Wasm only. What it is compiled to is kept in a directory of the user, under a digest of the Wasm
binary, Wasmtime's version and the machine. Machine code is executed, so the directory is used only when it is the
user's own and nobody else can write to it; every file carries a digest of its content, and what is damaged, or not
accepted by Wasmtime, is compiled and written again. Without such a directory modules are compiled at every load.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from marine_runtime.errors import LoadError
from marine_runtime.wasm import Module, WasmRuntime, wasmtime_version

CACHE_VARIABLE = "MARINE_GEN_CACHE"
"""Environment variable with another place for the cache."""

_BASE_VARIABLE = "XDG_CACHE_HOME"

CODE_FOLDER = "machine-code"
"""The folder of the cache with machine code."""

_log = logging.getLogger("marine_runtime")

_DIGEST = hashlib.sha256().digest_size


def compile_cached(runtime: WasmRuntime, wasm: bytes) -> Module:
    """The compiled module: from the user's cache, where it is put otherwise.

    Raises:
        LoadError: it is not valid Wasm.
    """
    directory = code_directory()
    if directory is None:
        return runtime.compile(wasm)
    path = directory / f"{hashlib.sha256(_machine(runtime) + wasm).hexdigest()}.cwasm"
    with contextlib.suppress(OSError, LoadError):
        data = path.read_bytes()
        if hashlib.sha256(data[_DIGEST:]).digest() == data[:_DIGEST]:
            return runtime.deserialize(data[_DIGEST:])
    module = runtime.compile(wasm)
    code = module.serialize()
    with contextlib.suppress(OSError):  # a full disk costs time at the next load, nothing else
        write_replacing(path, hashlib.sha256(code).digest() + code)
    return module


def own_directory(path: Path) -> Path | None:
    """`path`, made when missing; None when it can't be made, is not the user's own, or others can write to it."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022):
        return None
    return path


def cache_directory() -> Path | None:
    """The user's cache directory, made when missing; None when it is not the user's own or can't be made."""
    try:
        return own_directory(cache_place())
    except RuntimeError:  # the user has no home directory
        return None


def code_directory() -> Path | None:
    """The directory with machine code; None when there is no safe place for it."""
    place = cache_to_use()
    return None if place is None else own_directory(place / CODE_FOLDER)


def cache_to_use() -> Path | None:
    """As `cache_directory`; a directory from the environment that can't be used is logged, once."""
    directory = cache_directory()
    if directory is None and (os.environ.get(CACHE_VARIABLE) or os.environ.get(_BASE_VARIABLE)):
        _warn(cache_problem())
    return directory


def cache_problem() -> str:
    """The sentence about a cache directory that can't be used."""
    where = "the user's cache directory"
    for variable in (CACHE_VARIABLE, _BASE_VARIABLE):
        if chosen := os.environ.get(variable):
            where = f"the cache directory of the environment variable {variable}, `{chosen}`,"
            break
    return (
        f"{where} can't be used: it must be a directory that you can write to and nobody else can; "
        "services are compiled at every start"
    )


@cache
def _warn(sentence: str) -> None:
    _log.warning("%s", sentence)


def cache_place() -> Path:
    """The place of the user's cache, which marine-gen uses as well.

    Raises:
        RuntimeError: the user has no home directory.
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "marine-gen" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "marine-gen"
    base = os.environ.get(_BASE_VARIABLE, "").strip()
    return (Path(base) if base else Path.home() / ".cache") / "marine-gen"


@cache
def _machine(runtime: WasmRuntime) -> bytes:
    fuel = " fuel" if runtime.metered else ""
    return f"{wasmtime_version()} {platform.system()} {platform.machine()}{fuel}\n".encode()


def write_replacing(path: Path, data: bytes) -> None:
    """Write a file so that readers see the whole of it or none; raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

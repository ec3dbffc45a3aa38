"""The comparison of the table of prototypes with what the installed wasmtime-py declares.

The declarations of wasmtime-py are made from the headers of its library. Reading them takes its import, so the result
is kept in the user's cache for each library file. A file is known by its path, size, time of change and inode. Where
there is no cache, declarations that the tests compared are known by their digest.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Mapping
from functools import cache

from marine_runtime.config.cache_directory import cache_directory, write_replacing
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.digest import sha256
from marine_runtime.lazy.json_text import parse_json
from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.capi.library import address_of, declarations, library_file, package_folder
from marine_runtime.wasm.capi.prototypes import (
    CALLS,
    CREATOR,
    CREATOR_STRUCTURES,
    DEADLINE,
    KINDS,
    PREOPEN,
    PREOPENS,
    PROTOTYPES,
    STRUCTURES,
    WASI,
)

LIBRARY_FILES = "library-*.json"
"""The names of files in the cache with what was found."""

_FORMAT = 2  # of the file; another one when tables change


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome.

    Attributes:
        calls: the reason why the fast layer can't be used, or None.
        deadline: the reason why Python can't interrupt guests, or None.
        creator: the reason why memories are left to Wasmtime, or None.
        preopen: the prototype of `wasi_config_preopen_dir`.
    """

    calls: str | None
    deadline: str | None
    creator: str | None
    preopen: str


_TESTED = {
    "7c47679262b61d49275a88b43e502d61d4556a7a36110e656c8542cbe9923c7d": Verdict(
        None, None, None, PREOPENS[0]
    ),  # 50.0.1
}
"""The outcome for declarations of wasmtime-py, by the digest of their file. Tests compare those that are installed: a
row of a version that they do not run with could be wrong one day."""


@cache
def verdict() -> Verdict:
    """The outcome for the library of this process."""
    identity = _identity()
    place = None if identity is None else cache_directory()
    if place is None or identity is None:
        return tested() or compared()
    path = os.path.join(place, LIBRARY_FILES.replace("*", f"{identity[-1]:x}-{identity[-2]:x}"))
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        with open(path, encoding="utf-8") as file:
            known, found = parse_json(file.read())
        if known == identity:
            return Verdict(*found)
    made = tested() or compared()
    with contextlib.suppress(OSError):  # it is compared again, nothing else
        import json

        content = [identity, [made.calls, made.deadline, made.creator, made.preopen]]
        write_replacing(path, json.dumps(content).encode())
    return made


def _identity() -> list[Any] | None:
    """A description that tells one library file, and one table, from another."""
    path = library_file()
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [_FORMAT, path, status.st_size, status.st_mtime_ns, status.st_ino]


def tested() -> Verdict | None:
    """The outcome for declarations that the tests compared, whose functions are all there; None for others."""
    folder = package_folder()
    if folder is None or sys.byteorder != "little":
        return None
    try:
        with open(os.path.join(folder, "_bindings.py"), "rb") as file:
            found = _TESTED.get(sha256(file.read()).hexdigest())
        for name in (*PROTOTYPES, PREOPEN) if found else ():
            address_of(name)
    except (OSError, AttributeError):
        return None
    return found


def compared() -> Verdict:
    """The outcome, from the declarations of wasmtime-py."""
    try:
        private = declarations()
        calls = None if sys.byteorder == "little" else "the host is not little-endian"
        calls = calls or _structures(private, STRUCTURES) or _functions(private, {**CALLS, **WASI})
        accepted = [item for item in PREOPENS if _functions(private, {PREOPEN: item}) is None]
    except AttributeError as missing:
        return Verdict(str(missing), str(missing), str(missing), PREOPENS[0])
    if not accepted:
        calls = calls or _differs(PREOPEN)
    return Verdict(
        calls,
        _tried(lambda: _functions(private, DEADLINE)),
        _tried(lambda: _structures(private, CREATOR_STRUCTURES) or _functions(private, CREATOR)),
        (accepted or PREOPENS)[0],
    )


def _tried(compare: Any) -> str | None:
    try:
        found: str | None = compare()
    except AttributeError as missing:
        return str(missing)
    return found


def _functions(private: Any, ours: Mapping[str, str]) -> str | None:
    """The first function that is declared otherwise than in `ours`, by the widths of its values."""
    for name, prototype in ours.items():
        declared = getattr(private.dll, name)
        theirs = (declared.restype, *(declared.argtypes or ()))
        if [_width(item) for item in theirs] != [_width(KINDS[kind]) for kind in prototype]:
            return _differs(name)
    return None


def _structures(private: Any, ours: Mapping[str, tuple[int | None, Mapping[str, int]]]) -> str | None:
    """The first structure that is laid out otherwise than in `ours`."""
    for name, (size, fields) in ours.items():
        structure = getattr(private, name)
        if size is not None and ctypes.sizeof(structure) != size:
            return f"{name} is not {size} bytes long"
        for field, offset in fields.items():
            if getattr(structure, field).offset != offset:
                return f"`{field}` of {name} is not at {offset}"
    return None


def _width(kind: Any) -> int:
    return 0 if kind is None else ctypes.sizeof(kind)


def _differs(name: str) -> str:
    return f"`{name}` has another prototype"

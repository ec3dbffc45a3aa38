"""The file system of WASI 0.2: its interfaces, as far as preview 1 has a use for them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from marine_gen.component_backend.binary import Item
from marine_gen.component_backend.wasi_types import BOOL, STRING, U8, U32, U64, InstanceType
from marine_gen.component_backend.wit import Foreign

ERRORS: Mapping[str, int] = {
    "access": 2,
    "would-block": 6,
    "already": 7,
    "bad-descriptor": 8,
    "busy": 10,
    "deadlock": 16,
    "quota": 19,
    "exist": 20,
    "file-too-large": 22,
    "illegal-byte-sequence": 25,
    "in-progress": 26,
    "interrupted": 27,
    "invalid": 28,
    "io": 29,
    "is-directory": 31,
    "loop": 32,
    "too-many-links": 34,
    "message-size": 35,
    "name-too-long": 37,
    "no-device": 43,
    "no-entry": 44,
    "no-lock": 46,
    "insufficient-memory": 48,
    "insufficient-space": 51,
    "not-directory": 54,
    "not-empty": 55,
    "not-recoverable": 56,
    "unsupported": 58,
    "no-tty": 59,
    "no-such-device": 60,
    "overflow": 61,
    "not-permitted": 63,
    "pipe": 64,
    "read-only": 69,
    "invalid-seek": 70,
    "text-file-busy": 74,
    "cross-device": 75,
}
"""The cases of `error-code` in order, with the error numbers of preview 1."""

_TYPES = (
    *("unknown", "block-device", "character-device", "directory", "fifo", "symbolic-link", "regular-file"),
    "socket",
)
_OPEN_FLAGS = ("create", "directory", "exclusive", "truncate")
_DESCRIPTOR_FLAGS = (
    *("read", "write", "file-integrity-sync", "data-integrity-sync", "requested-write-sync"),
    "mutate-directory",
)

_METHODS = (
    *("open-at", "get-type", "read", "write", "stat", "stat-at", "metadata-hash", "metadata-hash-at", "sync"),
    *("sync-data", "set-size", "set-times", "set-times-at", "create-directory-at", "remove-directory-at"),
    *("unlink-file-at", "rename-at", "link-at", "symlink-at", "readlink-at", "read-directory"),
)

FILE_FUNCTIONS: Mapping[str, str] = {
    **{name: f"[method]descriptor.{name}" for name in _METHODS},
    "read-directory-entry": "[method]directory-entry-stream.read-directory-entry",
}
"""The functions by the names that they have here."""


def files_type() -> bytes:
    """The type of `wasi:filesystem/types`."""
    ty = InstanceType()
    descriptor, entries = ty.resource("descriptor"), ty.resource("directory-entry-stream")
    error = ty.enum("error-code", [*ERRORS])
    kind = ty.enum("descriptor-type", _TYPES)
    path_flags = ty.flags("path-flags", ["symlink-follow"])
    open_flags, descriptor_flags = ty.flags("open-flags", _OPEN_FLAGS), ty.flags("descriptor-flags", _DESCRIPTOR_FLAGS)
    datetime = ty.record("datetime", {"seconds": U64, "nanoseconds": U32})
    time = ty.option(datetime)
    times = {f"{name}-timestamp": time for name in ("data-access", "data-modification", "status-change")}
    stat = ty.record("descriptor-stat", {"type": kind, "link-count": U64, "size": U64, **times})
    hashed = ty.record("metadata-hash-value", {"lower": U64, "upper": U64})
    entry = ty.record("directory-entry", {"type": kind, "name": STRING})
    change = ty.variant("new-timestamp", {"no-change": None, "now": None, "timestamp": datetime})
    contents, this = ty.list(U8), ty.borrow(descriptor)
    done, stats, hashes = ty.result(None, error), ty.result(stat, error), ty.result(hashed, error)
    changes = {"data-access-timestamp": change, "data-modification-timestamp": change}
    at = {"path-flags": path_flags, "path": STRING}
    opening = {**at, "open-flags": open_flags, "flags": descriptor_flags}
    old, new = {"old-path": STRING}, {"new-descriptor": this, "new-path": STRING}
    for name, params, result in (
        ("open-at", opening, ty.result(ty.own(descriptor), error)),
        ("get-type", {}, ty.result(kind, error)),
        ("read", {"length": U64, "offset": U64}, ty.result(ty.tuple(contents, BOOL), error)),
        ("write", {"buffer": contents, "offset": U64}, ty.result(U64, error)),
        ("stat", {}, stats),
        ("stat-at", at, stats),
        ("metadata-hash", {}, hashes),
        ("metadata-hash-at", at, hashes),
        ("sync", {}, done),
        ("sync-data", {}, done),
        ("set-size", {"size": U64}, done),
        ("set-times", changes, done),
        ("set-times-at", {**at, **changes}, done),
        ("create-directory-at", {"path": STRING}, done),
        ("remove-directory-at", {"path": STRING}, done),
        ("unlink-file-at", {"path": STRING}, done),
        ("rename-at", {**old, **new}, done),
        ("link-at", {"old-path-flags": path_flags, **old, **new}, done),
        ("symlink-at", {**old, "new-path": STRING}, done),
        ("readlink-at", {"path": STRING}, ty.result(STRING, error)),
        ("read-directory", {}, ty.result(ty.own(entries), error)),
    ):
        ty.function(f"[method]descriptor.{name}", {"self": this, **params}, result)
    ty.function(
        FILE_FUNCTIONS["read-directory-entry"],
        {"self": ty.borrow(entries)},
        ty.result(ty.option(entry), error),
    )
    return ty.encoded()


def preopens_type(descriptor: Item) -> bytes:
    """The type of `wasi:filesystem/preopens`."""
    ty = InstanceType()
    ty.function("get-directories", {}, ty.list(ty.tuple(ty.own(ty.outer("descriptor", descriptor)), STRING)))
    return ty.encoded()


FILES = Foreign(
    "wasi:filesystem/types@0.2.0",
    (files("marine_gen.component_backend") / "filesystem.wit").read_text("utf-8"),
)
"""`wasi:filesystem/types`, as far as it is used."""

PREOPENS = Foreign(
    "wasi:filesystem/preopens@0.2.0",
    "use types.{descriptor};\n\nget-directories: func() -> list<tuple<descriptor, string>>;",
)
"""`wasi:filesystem/preopens`."""

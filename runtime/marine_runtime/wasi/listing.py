"""Directories as POSIX programs expect to list them: `fd_readdir` over what a directory held when it was opened.

Wasmtime lists a directory from scratch in every call, and a cookie is a position in that list. So a program that
removes files while it lists them skips others, and one that adds files sees some twice. It also refuses a whole
directory when the name of one file is not UTF-8. Here a listing is taken once, at cookie 0, and served from then on;
names that no guest could use are left out.

What is listed comes from Wasmtime, through a module of our own whose memory takes the answers. Only where Wasmtime
refuses are the names asked of the host, and Wasmtime confirms each. So a guest learns nothing here that it could not
find out itself.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping

from marine_runtime.lazy.data import dataclass
from marine_runtime.wasi.errnos import ILSEQ, NOMEM
from marine_runtime.wasi.functions import PREVIEW1
from marine_runtime.wasi.pointers import require
from marine_runtime.wasm import Memory, Store

SUCCESS = 0
_NEEDS = ("fd_readdir", "fd_filestat_get", "path_filestat_get")
_PAGE = 0x10000
_TEXT_AT = 64
_ENTRY = struct.Struct("<QQIB3x")
"""The cookie of the next entry, the number of the file, the length of its name, its type."""

_PADDING = 21
"""The offset of the bytes of an entry that mean nothing."""

_STAT = struct.Struct("<8xQB")
"""The number of a file and its type, among its attributes."""

_FIRST = 1 << 16
_LARGEST = 1 << 26
"""Bytes of the largest listing that is kept; a larger one is served by Wasmtime call by call."""

_KEPT = 1 << 24
"""Bytes of all listings of a module; when there are more, the oldest are taken again when they are asked for."""

_DIRECTORY = 3

_LISTER = f"""(module $wasi_lister
  (import "{PREVIEW1}" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
  (import "{PREVIEW1}" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
  (import "{PREVIEW1}" "path_filestat_get" (func $path_stat (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "list") (param $fd i32) (param $size i32) (param $cookie i64) (result i32)
    (call $list (local.get $fd) (i32.const {_TEXT_AT}) (local.get $size) (local.get $cookie) (i32.const 0)))
  (func (export "stat") (param $fd i32) (result i32) (call $stat (local.get $fd) (i32.const 0)))
  (func (export "path_stat") (param $fd i32) (param $flags i32) (param $size i32) (result i32)
    (call $path_stat (local.get $fd) (local.get $flags) (i32.const {_TEXT_AT}) (local.get $size) (i32.const 0))))"""


@dataclass(frozen=True, slots=True)
class _Listing:
    """Entries as WASI lays them out, and where each starts, the end included."""

    data: bytes
    starts: tuple[int, ...]

    def part(self, cookie: int, size: int) -> bytes:
        """Up to `size` bytes from an entry on; the last entry may be cut off."""
        start = self.starts[min(cookie, len(self.starts) - 1)]
        return self.data[start : start + size]


class Listings:
    """The directories that one module lists. Descriptors are native ones."""

    def __init__(self, store: Store, guest: Memory, roots: Mapping[int, str]) -> None:
        """Take the guest's memory, and the host's directories by descriptor."""
        self._store = store
        self._guest = guest
        self._roots = roots
        self._paths: dict[int, tuple[int, str]] = {}
        self._kept: dict[int, _Listing] = {}
        self._native: _Native | None = None

    def opened(self, fd: int, directory: int, ptr: int, size: int) -> None:
        """Note where the directory `fd` was found, in case the host has to be asked about it."""
        self._kept.pop(fd, None)
        path = self._guest.read(ptr, size).decode(errors="replace")  # the descriptor may lie over it by now
        root, above = self._paths.get(directory, (directory, ""))
        self._paths[fd] = root, os.path.join(above, path)

    def read(self, fd: int, ptr: int, size: int, cookie: int, used: int) -> int:
        """`fd_readdir`: an error number."""
        error, data = self._part(fd, size, cookie)
        if error:
            return error
        require(self._guest, ptr, len(data))  # check: wasi fd_readdir: room for entries
        self._guest.write(ptr, without_padding(data))
        require(self._guest, used, 4, 4)  # check: wasi fd_readdir: address of the count
        self._guest.write(used, struct.pack("<I", len(data)))
        return SUCCESS

    def _part(self, fd: int, size: int, cookie: int) -> tuple[int, bytes]:
        native = self._native
        if native is None:
            native = self._native = _Native(self._store)
        listing = self._kept.pop(fd, None) if cookie else None
        if listing is None:
            error, data = native.all(fd)
            if error == ILSEQ:
                error, data = self._from_host(native, fd)
            if data is None:
                return (error, b"") if error else native.list(fd, min(size, _LARGEST), cookie)
            listing = _Listing(data, _starts(data))
        data = listing.part(cookie, size)
        if len(data) == size:  # there may be more; what is at its end will hardly be asked for again
            self._keep(fd, listing)
        return SUCCESS, data

    def _keep(self, fd: int, listing: _Listing) -> None:
        self._kept[fd] = listing
        while sum(len(item.data) for item in self._kept.values()) > _KEPT and len(self._kept) > 1:
            del self._kept[next(iter(self._kept))]

    def _from_host(self, native: _Native, fd: int) -> tuple[int, bytes | None]:
        """A directory that Wasmtime refuses, because of some names, with the other names."""
        root, path = self._paths.get(fd, (fd, "."))
        if root not in self._roots:
            return ILSEQ, None
        if native.stat(fd) != native.stat(root, path, follow=True):  # check: wasi fd_readdir: a directory that moved
            return ILSEQ, None
        try:
            names = os.listdir(os.fsencode(os.path.join(self._roots[root], path)))
        except (OSError, ValueError):
            return ILSEQ, None
        number = native.stat(fd)[0]
        entries = [(b".", (number, _DIRECTORY)), (b"..", (number, _DIRECTORY))]
        entries += [(name, native.stat(fd, text)) for name in names if (text := _text(name)) is not None]
        found = [(name, what) for name, what in entries if what != _NOTHING]
        return SUCCESS, b"".join(
            _ENTRY.pack(cookie, number, len(name), kind) + name
            for cookie, (name, (number, kind)) in enumerate(found, 1)
        )


_NOTHING = (0, -1)


class _Native:
    """Wasmtime's functions over a memory of their own."""

    def __init__(self, store: Store) -> None:
        imports = {(PREVIEW1, name): store.wasi_function(name) for name in _NEEDS}
        lister = store.instantiate(store.helper(_LISTER), imports)
        assert lister.memory is not None
        self._memory = lister.memory
        self._pages = 2
        self._list = lister.function("list", "IIQ", "I")
        self._stat = lister.function("stat", "I", "I")
        self._path_stat = lister.function("path_stat", "III", "I")

    def list(self, fd: int, size: int, cookie: int) -> tuple[int, bytes]:
        """Up to `size` bytes of the entries from a cookie on, or an error number."""
        missing = -(-(_TEXT_AT + size) // _PAGE) - self._pages
        if missing > 0:
            if not self._memory.grow(missing):
                return NOMEM, b""
            self._pages += missing
        error = self._list(fd, size, cookie)
        if error:
            return error, b""
        return SUCCESS, self._memory.read(_TEXT_AT, int.from_bytes(self._memory.read(0, 4), "little"))

    def all(self, fd: int) -> tuple[int, bytes | None]:
        """All entries as they are now, or an error number; neither when there are too many."""
        size = _FIRST
        while size <= _LARGEST:
            error, data = self.list(fd, size, 0)
            if error or len(data) < size:
                return (error, None) if error else (SUCCESS, data)
            size *= 4
        return SUCCESS, None

    def stat(self, fd: int, path: str | None = None, *, follow: bool = False) -> tuple[int, int]:
        """Number and type of an open file, or of one under an open directory; `_NOTHING` when it is not there."""
        if path is None:
            error = self._stat(fd)
        else:
            data = path.encode()
            if len(data) > _PAGE:
                return _NOTHING
            self._memory.write(_TEXT_AT, data)
            error = self._path_stat(fd, follow, len(data))
        number, kind = _STAT.unpack(self._memory.read(0, _STAT.size))
        return _NOTHING if error else (number, kind)


def without_padding(data: bytes) -> bytes:
    """The entries without what is in their padding: Wasmtime 36 leaves bytes of the host there."""
    blank = bytearray(data)
    for start in _starts(data)[:-1]:
        first, end = (min(start + offset, len(data)) for offset in (_PADDING, _ENTRY.size))
        blank[first:end] = bytes(end - first)  # check: wasi fd_readdir: padding
    return bytes(blank)


def _starts(data: bytes) -> tuple[int, ...]:
    starts, at = [0], 0
    while at < len(data):
        at += _ENTRY.size + int.from_bytes(data[at + 16 : at + 20], "little")
        starts.append(at)
    return tuple(starts)


def _text(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None

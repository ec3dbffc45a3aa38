"""Sequences of WASI calls under either host of `wasi_reference`, and what the guest can tell of them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from tests.support.wasi_reference import Reference

_OUT, _TEXT, _SECOND, _PIECES, _DATA = 0x1000, 0x2000, 0x6000, 0xA000, 0xB000
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
APPEND = 1
RIGHTS, ROOT, FOLLOW = 0x1FFFFFFF, 3, 1
READ_ONLY = RIGHTS & ~(1 << 6)
NOW = 2**63
"""In place of a time that is not known in advance."""


class Play:
    """A guest that is told what to do; `heard` is what it gets."""

    def __init__(self, host: Reference, title: str = "") -> None:
        self._host = host
        self.title = title
        self.heard: list[tuple[object, ...]] = []

    def _tell(self, name: str, result: str, *more: object) -> None:
        self.heard.append((self.title, name, result, *more))

    def _text(self, text: str, at: int = _TEXT) -> tuple[int, int]:
        data = text.encode()
        self._host.poke(at, data)
        return at, len(data)

    def _number(self, format_: str = "<I") -> int:
        found: int = struct.unpack(format_, self._host.peek(_OUT, struct.calcsize(format_)))[0]
        return found

    def call(self, name: str, *arguments: int | str) -> str:
        """Call a function; texts become an address and a length."""
        words: list[int] = []
        places = iter((_TEXT, _SECOND))
        for argument in arguments:
            words += self._text(argument, next(places)) if isinstance(argument, str) else (argument,)
        result = self._host.call(name, *words)
        self._tell(name, result)
        return result

    def open(self, path: str, oflags: int = 0, rights: int = READ_ONLY, flags: int = 0, fd: int = ROOT) -> int:
        """Open a path; the descriptor, or one that nothing has."""
        result = self._host.call("path_open", fd, FOLLOW, *self._text(path), oflags, rights, rights, flags, _OUT)
        opened = self._number() if result == "0" else 999
        self._tell("path_open", result)  # Wasmtime does not promise the lowest number
        return opened

    def write(self, fd: int, data: bytes, at: int | None = None) -> None:
        """Write to a file, at a position if it is given."""
        self._host.poke(_DATA, data)
        self._host.poke(_PIECES, struct.pack("<II", _DATA, len(data)))
        name, more = ("fd_write", ()) if at is None else ("fd_pwrite", (at,))
        result = self._host.call(name, fd, _PIECES, 1, *more, _OUT)
        self._tell(name, result, self._number() if result == "0" else None)

    def read(self, fd: int, size: int, at: int | None = None) -> None:
        """Read from a file, at a position if it is given."""
        self._host.poke(_PIECES, struct.pack("<II", _DATA, size))
        name, more = ("fd_read", ()) if at is None else ("fd_pread", (at,))
        result = self._host.call(name, fd, _PIECES, 1, *more, _OUT)
        self._tell(name, result, self._host.peek(_DATA, self._number()) if result == "0" else None)

    def seek(self, fd: int, offset: int, whence: int = 0) -> None:
        """Move the position of a file: from its start, from where it is, from the end."""
        result = self._host.call("fd_seek", fd, offset, whence, _OUT)
        self._tell("fd_seek", result, self._number("<Q") if result == "0" else None)

    def stat(self, what: int | str, flags: int = FOLLOW, fd: int = ROOT) -> None:
        """Kind, links, size and times of a descriptor or a path."""
        if isinstance(what, int):
            result = self._host.call("fd_filestat_get", what, _OUT)
        else:
            result = self._host.call("path_filestat_get", fd, flags, *self._text(what), _OUT)
        found = struct.unpack("<16xB7x5Q", self._host.peek(_OUT, 64)) if result == "0" else ()
        *known, changed = found or (0,)
        times = [time if time < 10**15 else NOW for time in known[-2:]]  # what was set is early in 1970
        self._tell("filestat_get", result, *known[:-2], *times, bool(changed))

    def state(self, fd: int) -> None:
        """Kind, flags and rights of a descriptor."""
        result = self._host.call("fd_fdstat_get", fd, _OUT)
        found = struct.unpack("<BxH4xQQ", self._host.peek(_OUT, 24)) if result == "0" else ()
        self._tell("fd_fdstat_get", result, *found)

    def names(self, fd: int, cookie: int = 0) -> None:
        """The names in a directory, sorted."""
        result = self._host.call("fd_readdir", fd, _DATA, 4096, cookie, _OUT)
        found = []
        if result == "0":
            data = self._host.peek(_DATA, self._number())
            while len(data) >= 24:
                size = int.from_bytes(data[16:20], "little")
                found.append((data[24 : 24 + size], data[20]))
                data = data[24 + size :]
        self._tell("fd_readdir", result, sorted(found))

    def link_target(self, path: str, fd: int = ROOT) -> None:
        """The target of a symbolic link."""
        result = self._host.call("path_readlink", fd, *self._text(path), _DATA, 100, _OUT)
        self._tell("path_readlink", result, self._host.peek(_DATA, self._number()) if result == "0" else None)


def plant(folder: Path) -> None:
    """Make a directory with files, directories and links of every kind."""
    (folder / "sub" / "inner").mkdir(parents=True)
    (folder / "f").write_bytes(b"0123456789")
    (folder / "sub" / "g").write_bytes(b"g")
    links = {
        "l": "f",
        "ls": "sub",
        "dangling": "none",
        "loop": "loop",
        "a": "b",
        "b": "a",
        "absolute": "/etc/hostname",
        "inside": str(folder / "f"),
        "out": "../..",
        "up": "sub/../f",
        "slash": "f/",
        "sub/back": "../f",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    for path in (folder / "f", folder / "sub" / "g", folder / "sub", folder):
        os.utime(path, (1, 1))


def harvest(folder: Path) -> list[tuple[str, object]]:
    """The content of a directory, all levels."""
    found: list[tuple[str, object]] = []
    for path in sorted(folder.rglob("*")):
        content: object = None
        if path.is_symlink():
            content = os.readlink(path).replace(str(folder), "")
        elif path.is_file():
            content = path.read_bytes()
        found.append((str(path.relative_to(folder)), content))
    return found

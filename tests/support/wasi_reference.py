"""One guest under two hosts: the shim of a module, and Wasmtime's own WASI as the reference.

A *case* is a WASI function with arguments. It runs in a new instance under either host, over a directory of its own,
and its *outcome* is what the guest can tell: the error number or trap, the memory, and the files.
"""

from __future__ import annotations

import itertools
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import wasmtime

from marine_runtime.config.model import ModuleConfig, Output, ServiceConfig
from marine_runtime.errors import CallError
from marine_runtime.wasi import Wasi
from marine_runtime.wasi.functions import FUNCTIONS, PREVIEW1
from marine_runtime.wasm import open_runtime

END = 2 * 0x10000
"""The end of the guest's memory."""

DIRECTORY, FILE, SUBDIRECTORY = 3, 4, 5
"""Descriptors that every case starts with, beside the standard ones."""

_WAT = {"i": "i32", "q": "i64"}
_OUT, _TEXT, _PIECES, _SUBSCRIPTIONS, _DATA = 0x1000, 0x2000, 0x3000, 0x4000, 0x5000
_ALL_RIGHTS, _ONLY_READING = 0x1FFFFFFF, 0x1FFFFFBF
_NAMES = (b"f", b"sub", b"l", b"..", b"x\0y", b"\xff", b"none")
DESCRIPTORS = (0, 1, 2, DIRECTORY, FILE, SUBDIRECTORY)
"""All descriptors that are open."""

_DESCRIPTORS = (DIRECTORY, FILE, SUBDIRECTORY, 0, 1, 2, 9, 1023, 1024, 0xFFFFFFFF)
_POINTERS = (_OUT, _OUT + 1, _OUT + 2, _OUT + 4, END - 1, END, END + 8, 0xFFFFFFF8)
_ROLES: dict[str, Sequence[int]] = {
    "fd": _DESCRIPTORS,
    "ptr": _POINTERS,
    "text": (*(_TEXT + 16 * number for number in range(len(_NAMES))), END - 1, END, 0xFFFFFFF8),
    "pieces": (_PIECES, _PIECES + 1, _PIECES + 0x20, _PIECES + 0x40, _PIECES + 0x60, END - 8, END - 4, END, 0xFFFFFFF8),
    "polls": (*(_SUBSCRIPTIONS + 0x60 * number for number in range(7)), _SUBSCRIPTIONS + 1, END - 40, END, 0xFFFFFFF0),
}
_LENGTH = (1, 0, 3, 0xFFFFFFFF)
_BIG = (0, 3, -1)

ARGUMENTS: dict[str, tuple[str | Sequence[int], ...]] = {
    "args_get": ("ptr", "ptr"),
    "args_sizes_get": ("ptr", "ptr"),
    "environ_get": ("ptr", "ptr"),
    "environ_sizes_get": ("ptr", "ptr"),
    "clock_res_get": ((1, 0, 2, 3, 4, 99), "ptr"),
    "clock_time_get": ((1, 0, 2, 3, 4), (0,), "ptr"),
    "fd_advise": ("fd", (0, -1), (0, 10, -1), (0, 5, 6)),
    "fd_allocate": ("fd", (0, -1), (5, 0, -1)),
    "fd_close": ("fd",),
    "fd_datasync": ("fd",),
    "fd_fdstat_get": ("fd", "ptr"),
    "fd_fdstat_set_flags": ("fd", (0, 1, 2, 4, 5, 16, 32, 0x10000)),
    "fd_fdstat_set_rights": ("fd", (0, -1, 1 << 29, 1 << 40), (0, -1)),
    "fd_filestat_get": ("fd", "ptr"),
    "fd_filestat_set_size": ("fd", (5, 0, -1)),
    "fd_filestat_set_times": ("fd", (5, 0), (5,), (5, 0, 1, 2, 3, 8, 12, 15, 16, 0x10000)),
    "fd_pread": ("fd", "pieces", (1, 0, 2), _BIG, "ptr"),
    "fd_prestat_get": ("fd", "ptr"),
    "fd_prestat_dir_name": ("fd", "ptr", (4, 0, 3, 5, 0xFFFFFFFF)),
    "fd_pwrite": ("fd", "pieces", (1, 0, 2), _BIG, "ptr"),
    "fd_read": ("fd", "pieces", (1, 0, 2, 1025), "ptr"),
    "fd_readdir": ("fd", "ptr", (1000, 0, 1, 24, 60, 0xFFFFFFFF), (0, 1, 2, 5, 9, -1), "ptr"),
    "fd_renumber": ("fd", "fd"),
    "fd_seek": ("fd", (5, 0, -1, 1 << 62), (1, 0, 2, 3, 255, 256), "ptr"),
    "fd_sync": ("fd",),
    "fd_tell": ("fd", "ptr"),
    "fd_write": ("fd", "pieces", (1, 0, 2, 1025, 0x20000000, 0xFFFFFFFF), "ptr"),
    "path_create_directory": ("fd", "text", (4, 1, 3, 0xFFFFFFFF)),
    "path_filestat_get": ("fd", (1, 0, 2, 3), "text", _LENGTH, "ptr"),
    "path_filestat_set_times": ("fd", (1, 0, 2), "text", (1,), (5,), (5,), (5, 0, 8, 12, 15, 16)),
    "path_link": ("fd", (0, 1, 2), "text", (1,), "fd", "text", (4,)),
    "path_open": (
        *("fd", (1, 0, 2), "text", _LENGTH, (0, 1, 2, 4, 8, 9, 15, 16, 0x10000)),
        *((_ALL_RIGHTS, 0, -1), (_ALL_RIGHTS,), (0, 1, 4, 31, 32), "ptr"),
    ),
    "path_readlink": ("fd", "text", (1,), "ptr", (100, 0, 1), "ptr"),
    "path_remove_directory": ("fd", "text", (1, 3)),
    "path_rename": ("fd", "text", (1,), "fd", "text", (4,)),
    "path_symlink": ("text", (1,), "fd", "text", (4,)),
    "path_unlink_file": ("fd", "text", (1,)),
    "poll_oneoff": ("polls", "ptr", (1, 0, 2, 1024, 1025, 0xFFFFFFFF), "ptr"),
    "proc_exit": ((0, 1, 125, 126, 255, 256, 0xFFFFFFFF),),
    "proc_raise": ((0, 2, 6, 30, 31, 99),),
    "sched_yield": (),
    "random_get": ("ptr", (1, 0, 100, 0xFFFFFFFF)),
    "sock_accept": ("fd", (0, 4), "ptr"),
    "sock_recv": ("fd", "pieces", (0, 1), (0, 1), "ptr", "ptr"),
    "sock_send": ("fd", "pieces", (0, 1), (0,), "ptr"),
    "sock_shutdown": ("fd", (0, 1, 2, 3, 4)),
}
"""For each parameter of each function, values to try, or the name of a kind of value; the first is a good one."""

_ADDRESSES = {"ptr", "text", "pieces", "polls"}
_ATTRIBUTES = {"fd_filestat_get", "path_filestat_get"}
_AMOUNTS = {"poll_oneoff": 2, "random_get": 1}
"""Functions that take host memory, and the parameter that says how much."""

_OF_ITS_OWN = {"clock_time_get", "random_get"}
"""Functions whose results differ each time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a guest can tell of a call."""

    result: str
    memory: bytes = b""
    files: tuple[object, ...] = ()


def exhausts_the_host(name: str, arguments: Sequence[int]) -> bool:
    """Return whether a Wasmtime that is still supported asks for gigabytes in that call, or ends the process."""
    return name in _AMOUNTS and arguments[_AMOUNTS[name]] >= 2**31


def cases(name: str, *, full: bool = False) -> list[tuple[int, ...]]:
    """Arguments for a function: one at a time from good ones, addresses and neighbours two at a time.

    Unless they are asked for in `full`, two at a time are some of the values only, and the good descriptor is one.
    """
    columns = [_ROLES[role] if isinstance(role, str) else role for role in ARGUMENTS[name]]
    of_address = [isinstance(role, str) and role in _ADDRESSES for role in ARGUMENTS[name]]
    found: dict[tuple[int, ...], None] = {}
    starts = [[column[0] for column in columns]]
    if ARGUMENTS[name][:1] == ("fd",):
        starts = [[fd, *starts[0][1:]] for fd in ((DIRECTORY, 1, FILE) if full else (_usual(name),))]
    for start in starts:
        found[tuple(start)] = None
        for one, other in itertools.combinations_with_replacement(range(len(columns)), 2):
            if other - one <= 1 or (of_address[one] and of_address[other]):
                first, last = columns[one], columns[other]
                if one != other and not full:
                    first, last = _some(first), _some(last)
                for value, second in itertools.product(first, last):
                    arguments = list(start)
                    arguments[one], arguments[other] = value, second
                    found[tuple(arguments)] = None
    return list(found)


def _usual(name: str) -> int:
    """The descriptor that a function is used with most."""
    if "pieces" in ARGUMENTS[name]:
        return 1
    return DIRECTORY if name.startswith(("path_", "fd_prestat_")) or name == "fd_readdir" else FILE


def _some(values: Sequence[int]) -> Sequence[int]:
    return (values[0], values[-1])


def guest_text(memory: str = '(memory (export "memory") 2 2)') -> str:
    """A guest that exports every function of WASI under its own name."""
    lines = []
    for item in FUNCTIONS[PREVIEW1].values():
        kind = f"(param {' '.join(_WAT[code] for code in item.params)}) {'(result i32)' if item.results else ''}"
        lines.append(f'(import "{PREVIEW1}" "{item.name}" (func ${item.name} {kind}))')
    lines.append(memory)
    for item in FUNCTIONS[PREVIEW1].values():
        kind = f"(param {' '.join(_WAT[code] for code in item.params)}) {'(result i32)' if item.results else ''}"
        arguments = " ".join(f"(local.get {number})" for number in range(len(item.params)))
        lines.append(f'(func (export "{item.name}") {kind} (call ${item.name} {arguments}))')
    return f"(module {' '.join(lines)})"


class Reference:
    """The guest over Wasmtime's own WASI; its standard output is a file."""

    def __init__(self, place: Path) -> None:
        linker, module = _bare_module()
        self._store = wasmtime.Store(linker.engine)
        config = wasmtime.WasiConfig()
        config.stdout_file = config.stderr_file = str(place / "printed")
        config.preopen_dir(str(place / "d"), "data")
        config.env = [("A", "1"), ("data", str(place / "d"))]
        self._store.set_wasi(config)
        self._exports = linker.instantiate(self._store, module).exports(self._store)

    def call(self, name: str, *arguments: int) -> str:
        """The error number as text, or what ended the call."""
        try:
            return str(self._exports[name](self._store, *arguments))  # type: ignore[operator]
        except wasmtime.ExitTrap as trap:
            return f"exit {trap.code}"
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            return _trap(str(error))

    @property
    def _memory(self) -> Any:
        return self._exports["memory"]

    def poke(self, ptr: int, data: bytes) -> None:
        """Write into the guest's memory."""
        self._memory.write(self._store, data, ptr)

    def peek(self, ptr: int, size: int) -> bytes:
        """Read from the guest's memory."""
        return bytes(self._memory.read(self._store, ptr, ptr + size))

    def close(self) -> None:
        """Free everything."""
        self._store.close()


class Shimmed(Reference):
    """The guest over its shim; its outputs are captured."""

    def __init__(self, place: Path, output: Output = bytes) -> None:
        runtime, module = _shimmed_module()
        self._own = store = runtime.store()
        settings = ModuleConfig(envs={"A": "1"}, mapped_dirs={"data": str(place / "d")}, stdout=output, stderr=output)
        wasi = Wasi(store, ServiceConfig(modules={"m": settings}), ["m"])
        connection = wasi.connect("m", module)
        assert connection is not None
        self._instance = store.instantiate(module, dict(connection.functions))
        connection.tie(self._instance)

    def call(self, name: str, *arguments: int) -> str:
        """The error number as text, or what ended the call."""
        item = FUNCTIONS[PREVIEW1][name]
        run = self._instance.function(name, item.params, item.results)
        codes = zip(arguments, item.params, strict=True)
        signed = [value - 2**32 * (code == "i" and value >= 2**31) for value, code in codes]
        try:
            return str(run(*signed))
        except CallError as error:
            return _trap(str(error))

    def poke(self, ptr: int, data: bytes) -> None:
        """Write into the guest's memory."""
        assert self._instance.memory is not None
        self._instance.memory.write(ptr, data)

    def peek(self, ptr: int, size: int) -> bytes:
        """Read from the guest's memory."""
        assert self._instance.memory is not None
        return self._instance.memory.read(ptr, size)

    def close(self) -> None:
        """Free everything."""
        self._own.close()


@cache
def _bare_module() -> tuple[wasmtime.Linker, wasmtime.Module]:
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return linker, wasmtime.Module(engine, guest_text())


@cache
def _shimmed_module() -> tuple[Any, Any]:
    runtime = open_runtime()
    return runtime, runtime.compile(bytes(wasmtime.wat2wasm(guest_text())))


def _trap(text: str) -> str:
    """The kind of a trap."""
    if found := re.search(r"proc_exit\((\d+)\)", text):
        return f"exit {found[1]}"
    if "memory access out of bounds" in text or "out of bounds" in text:
        return "trap: out of bounds"
    if "not aligned" in text:
        return "trap: not aligned"
    cause = text.partition("Stack backtrace:")[0].strip().splitlines()[-1].strip()
    return f"trap: {cause.lstrip('0123456789: ')[:60]}" if "Invalid" not in text else "trap: invalid value"


def outcome(kind: type[Reference], place: Path, name: str, arguments: Sequence[int]) -> Outcome:
    """Run one case under one host; `place` is a new directory."""
    folder = place / "d"
    (folder / "sub").mkdir(parents=True)
    (folder / "f").write_bytes(b"0123456789")
    (folder / "sub" / "g").write_bytes(b"g")
    (folder / "l").symlink_to("f")
    for path in (folder / "f", folder / "sub" / "g", folder / "sub", folder):
        os.utime(path, (1, 1))
    os.utime(folder / "l", (1, 1), follow_symlinks=False)
    host = kind(place)
    try:
        _prepare(host)
        result = host.call(name, *arguments)
        if result.startswith(("trap", "exit")) or name in _OF_ITS_OWN:
            return Outcome(result)  # what was done until then is the host's affair
        memory = bytearray(host.peek(0, END))
        if name in _ATTRIBUTES and result == "0":
            for start, end in ((8, 16), (56, 64)):  # the number of a file, and when it was changed
                memory[arguments[-1] + start : arguments[-1] + end] = bytes(end - start)
        if name == "fd_readdir" and result == "0":
            _blank_numbers(memory, arguments[1], int.from_bytes(memory[arguments[4] : arguments[4] + 4], "little"))
        return Outcome(result, bytes(memory), tuple(_files(folder)))
    finally:
        host.close()


def _prepare(host: Reference) -> None:
    for number, text in enumerate(_NAMES):
        host.poke(_TEXT + 16 * number, text)
    good, empty, beyond = (_DATA, 4), (_DATA, 0), (END - 1, 4)
    for number, pieces in enumerate(((good, good), (empty, good), (good, beyond), (beyond, good))):
        host.poke(_PIECES + 0x20 * number, b"".join(struct.pack("<II", *piece) for piece in pieces))
    host.poke(_DATA, b"abcdefgh")
    clock = _subscription(0, 1000)
    polls = [
        *((clock, clock), (_subscription(1, DIRECTORY), clock), (_subscription(2, 1), clock)),
        *((_subscription(1, 77), clock), (_subscription(3, 0), clock)),
        *((_subscription(0, 1000, flags=2), clock), (_subscription(0, 1000, clock=9), clock)),
    ]
    for number, pair in enumerate(polls):
        host.poke(_SUBSCRIPTIONS + 0x60 * number, b"".join(pair))
    opened = [host.call("path_open", 3, 1, _TEXT, 1, 0, _ALL_RIGHTS, _ALL_RIGHTS, 0, _OUT)]
    opened.append(host.call("path_open", 3, 1, _TEXT + 16, 3, 2, _ONLY_READING, _ONLY_READING, 0, _OUT))
    assert opened == ["0", "0"]


def _blank_numbers(memory: bytearray, start: int, size: int) -> None:
    """Blank what differs each time in entries of a directory: numbers of files, and padding."""
    at, end = start, start + size
    while at < end:
        for first, last in ((at + 8, at + 16), (at + 21, at + 24)):
            memory[min(first, end) : min(last, end)] = bytes(min(last, end) - min(first, end))
        at += 24 + int.from_bytes(memory[at + 16 : at + 20], "little")


def _subscription(tag: int, value: int, *, flags: int = 0, clock: int = 1) -> bytes:
    union = struct.pack("<I4xQQH6x", clock, value, 0, flags) if tag == 0 else struct.pack("<I28x", value)
    return struct.pack("<QB7x", 7, tag) + union


def _files(folder: Path) -> Iterator[object]:
    for path in sorted(folder.rglob("*")):
        target = os.readlink(path) if path.is_symlink() else ""
        yield str(path.relative_to(folder)), target, path.read_bytes() if path.is_file() else None

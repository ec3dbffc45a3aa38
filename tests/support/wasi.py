"""Guests that hand every WASI function to the test, and services with a configuration.

The guest exports one function that calls any function of a WASI namespace, with a way to look into its memory (`peek`,
`poke`). So a test plays the guest, hostile or not, from Python.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from marine_gen.generate import Description, Vector
from marine_runtime import Service
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.types import Prim
from marine_runtime.wasi.functions import FUNCTIONS, NAMESPACES, PREVIEW1, WasiFunction
from tests.support.echo import PAGE, Memory, echo_module, function
from tests.support.engines import Configuration, load

ROOM = PAGE
"""The free part of the guest's memory: two pages."""

SUCCESS, BADF, INVAL, NOTCAPABLE, PERM = 0, 8, 28, 76, 63
MEMORY = Memory(pages=4, base=3 * PAGE)
_MOST = 9  # parameters of a WASI function
_WAT = {"i": "i32", "q": "i64"}


def import_line(namespace: str, item: WasiFunction) -> str:
    """The Wasm import of a WASI function, as `$NAME`."""
    params = " ".join(_WAT[code] for code in item.params)
    results = " ".join(_WAT[code] for code in item.results)
    return f'(import "{namespace}" "{item.name}" (func ${item.name} (param {params}) (result {results})))'


def _sweeps(items: Mapping[str, WasiFunction]) -> list[tuple[str, str]]:
    """One function over a descriptor for each descriptor argument: its title, and its Wasm text."""
    found = []
    for item in items.values():
        positions = item.descriptors or ((0, 1) if item.name == "fd_renumber" else (0,) * item.name.startswith("fd_"))
        for position in positions:
            values = [
                "(local.get 0)" if index == position else f"({_WAT[code]}.const {3 if index in positions else ROOM})"
                for index, code in enumerate(item.params)
            ]
            found.append((f"{item.name} #{position}", f"(call ${item.name} {' '.join(values)})"))
    return found


OUTPUT = ROOM + 0x18000
"""The address at which `play` gathers the results of a script."""

POKE, PEEK, SWEEP, END = 100, 101, 102, 103
"""Steps of a script that are no calls of WASI; see `tests.support.wasi_scripts`."""

_STEP = 8 * (_MOST + 1)
_PLAY = f"""(func $play (param $at i32) (param $size i32) (local $out i32) (local $step i32) (local $script i32)
  (local.set $script (local.get $at))
  (local.set $out (i32.const {OUTPUT}))
  (loop $next
    (local.set $step (i32.load align=1 (local.get $at)))
    (block $done
      (if (i32.eq (local.get $step) (i32.const {POKE})) (then
        (memory.copy (i32.load offset=8 (local.get $at))
          (i32.add (local.get $script) (i32.load offset=16 (local.get $at))) (i32.load offset=24 (local.get $at)))
        (br $done)))
      (if (i32.eq (local.get $step) (i32.const {PEEK})) (then
        (memory.copy (local.get $out) (i32.load offset=8 (local.get $at)) (i32.load offset=16 (local.get $at)))
        (local.set $out (i32.add (local.get $out) (i32.load offset=16 (local.get $at))))
        (br $done)))
      (br_if $done (i32.eq (local.get $step) (i32.const {END})))
      (i32.store (local.get $out)
        (if (result i32) (i32.eq (local.get $step) (i32.const {SWEEP}))
          (then (call $swept (i32.load offset=8 (local.get $at)) (i32.load offset=16 (local.get $at))
            (i32.load offset=24 (local.get $at))))
          (else (call $wasi (local.get $step)
            {" ".join(f"(i64.load offset={8 * number} (local.get $at))" for number in range(1, _MOST + 1))}))))
      (local.set $out (i32.add (local.get $out) (i32.const 4))))
    (local.set $at (i32.add (local.get $at) (i32.const {_STEP})))
    (br_if $next (i32.ne (local.get $step) (i32.const {END}))))
  (global.set $ptr (i32.const {OUTPUT}))
  (global.set $size (i32.sub (local.get $out) (i32.const {OUTPUT}))))"""

SWEEPS = [title for title, _ in _sweeps(FUNCTIONS[PREVIEW1])]
"""Every descriptor argument of every function."""


@cache
def wasi_guest(namespace: str = PREVIEW1, more: str = "", memory: Memory = MEMORY) -> bytes:
    """The guest with every function of a namespace; `more` are fields of its Wasm text."""
    items = FUNCTIONS[namespace]
    # One function for all: adapters for each would take most of the time of the tests.
    signatures = [
        function(namespace, Prim.U32, *[Prim.S64] * _MOST, result=Prim.S32),
        function("peek", Prim.U32, Prim.U32, result=Vector(Prim.U8)),
        function("poke", Prim.U32, Vector(Prim.U8), result=Prim.S32),
        function("sweep", Prim.U32, Prim.U32, Prim.U32, result=Prim.S32),
        function("play", Vector(Prim.U8), result=Vector(Prim.U8)),
    ]
    bodies = {}
    cases = []
    for number, item in enumerate(items.values()):
        values = (f"(local.get {index})" for index in range(1, len(item.params) + 1))
        arguments = [
            value if code == "q" else f"(i32.wrap_i64 {value})" for value, code in zip(values, item.params, strict=True)
        ]
        call = f"(call ${item.name} {' '.join(arguments)})" + ("" if item.results else "(i32.const 0)")
        cases.append(f"(if (i32.eq (local.get 0) (i32.const {number})) (then (return {call})))")
    bodies[namespace] = f"(call $wasi {' '.join(f'(local.get {index})' for index in range(_MOST + 1))})"
    bodies["play"] = "(call $play (local.get 0) (local.get 1))"
    bodies["peek"] = "(global.set $ptr (local.get 0)) (global.set $size (local.get 1))"
    bodies["poke"] = "(memory.copy (local.get 0) (local.get 1) (local.get 2)) (i32.const 0)"
    # How many descriptors of a range some function does not refuse as unknown.
    bodies["sweep"] = "(call $swept (local.get 0) (local.get 1) (local.get 2))"
    swept = f"""(func $swept (param i32 i32 i32) (result i32)
      (loop $next
        (if (i32.ne (i32.const {BADF}) (call_indirect (param i32) (result i32) (local.get 1) (local.get 0)))
          (then (global.set $hits (i32.add (global.get $hits) (i32.const 1)))))
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get 1) (local.get 2))))
      (global.get $hits) (global.set $hits (i32.const 0)))"""
    sweeps = _sweeps(items)
    fields = [f"(func $sweep{index} (param i32) (result i32) {text})" for index, (_, text) in enumerate(sweeps)]
    fields += [
        f"(func $wasi (param i32 {'i64 ' * _MOST}) (result i32) {' '.join([*cases, 'unreachable'])})",
        _PLAY,
        swept,
    ]
    fields += [more, f"(table {len(sweeps)} funcref) (global $hits (mut i32) (i32.const 0))"]
    fields += [f"(elem (i32.const 0) func {' '.join(f'$sweep{index}' for index in range(len(sweeps)))})"]
    head = "\n".join(import_line(namespace, item) for item in items.values())
    return echo_module(Description((), tuple(signatures)), memory, bodies, "\n".join(fields), head)


def load_configured(
    modules: Mapping[str, bytes], configuration: Configuration, settings: Mapping[str, ModuleConfig]
) -> Service:
    """A running service of `modules` with the settings of some of them."""
    config = ServiceConfig(modules=settings)
    return load(modules, configuration.engine, configuration.call_layer, config=config)


class Player:
    """Plays one guest: calls are WASI functions, and their error number is the result.

    Attributes:
        namespace: the generation of WASI that the guest uses.
    """

    def __init__(self, service: Service, module: str) -> None:
        self.namespace = next(name for name in NAMESPACES if name in list(service.modules[module]))
        self._numbers = {name: number for number, name in enumerate(FUNCTIONS[self.namespace])}
        self._call: Callable[..., Any] = lambda name, *args: service.call(module, name, args)

    def __call__(self, name: str, *args: int) -> int:
        """Call a WASI function."""
        errno: int = self._call(self.namespace, self._numbers[name], *args, *[0] * (_MOST - len(args)))
        return errno

    def peek(self, ptr: int, size: int) -> bytes:
        """Some of the guest's memory."""
        data: bytes = self._call("peek", ptr, size)
        return data

    def poke(self, ptr: int, data: bytes) -> int:
        """Write into the guest's memory; gives the address."""
        self._call("poke", ptr, data)
        return ptr

    def word(self, ptr: int) -> int:
        """A u32 of the guest's memory."""
        value: int = struct.unpack("<I", self.peek(ptr, 4))[0]
        return value

    def sweep(self, which: int, first: int, last: int) -> int:
        """The number of descriptors in a range that some function accepts."""
        count: int = self._call("sweep", which, first, last)
        return count

    def path(self, text: str, at: int = ROOM) -> tuple[int, int]:
        """A path in memory: address and length."""
        data = text.encode()
        return self.poke(at, data), len(data)

    def open(self, directory: int, path: str, oflags: int = 0, *, write: bool = False, follow: int = 1) -> int:
        """Open a file or directory; gives the descriptor, or the negative error number."""
        rights = 0x1FFFFFFF if write else 0x1FFFFFFF & ~(1 << 6)
        errno = self(
            "path_open", directory, follow, *self.path(path, ROOM + 0x700), oflags, rights, rights, 0, ROOM + 0x800
        )
        return -errno if errno else self.word(ROOM + 0x800)

    def pieces(self, *pieces: tuple[int, int], at: int = ROOM + 0x900) -> tuple[int, int]:
        """An array of buffers in memory: address and number."""
        return self.poke(at, b"".join(struct.pack("<II", *piece) for piece in pieces)), len(pieces)

    def write(self, fd: int, data: bytes) -> int:
        """Write to a descriptor; gives the number of bytes, or the negative error number."""
        at = self.poke(ROOM + 0x1000, data)
        errno = self("fd_write", fd, *self.pieces((at, len(data))), ROOM + 0x800)
        return -errno if errno else self.word(ROOM + 0x800)

    def read(self, fd: int, size: int = 1000) -> bytes | int:
        """Read from a descriptor; gives the bytes, or the negative error number."""
        errno = self("fd_read", fd, *self.pieces((ROOM + 0x1000, size)), ROOM + 0x800)
        return -errno if errno else self.peek(ROOM + 0x1000, self.word(ROOM + 0x800))

    def names(self, fd: int) -> set[str]:
        """The entries of a directory, without itself and its parent."""
        assert self("fd_readdir", fd, ROOM + 0x1000, 0x1000, 0, ROOM + 0x800) == SUCCESS
        data = self.peek(ROOM + 0x1000, self.word(ROOM + 0x800))
        found, position = set(), 0
        while position < len(data):
            (length,) = struct.unpack_from("<I", data, position + 16)
            found.add(data[position + 24 : position + 24 + length].decode())
            position += 24 + length
        return found - {".", ".."}

    def environment(self) -> list[str]:
        """The variables, as `NAME=VALUE`."""
        assert self("environ_sizes_get", ROOM, ROOM + 4) == SUCCESS
        count, size = struct.unpack("<II", self.peek(ROOM, 8))
        assert self("environ_get", ROOM + 0x1000, ROOM + 0x2000) == SUCCESS
        pointers = struct.unpack(f"<{count}I", self.peek(ROOM + 0x1000, 4 * count))
        block = self.peek(ROOM + 0x2000, size)
        return [block[ptr - ROOM - 0x2000 :].split(b"\0")[0].decode() for ptr in pointers]

    def preopens(self) -> dict[int, str]:
        """Names of the preopened directories by descriptor, found as a C library does."""
        found = {}
        fd = 3
        while self("fd_prestat_get", fd, ROOM) == SUCCESS:
            kind, length = struct.unpack("<II", self.peek(ROOM, 8))
            assert kind == 0
            assert self("fd_prestat_dir_name", fd, ROOM + 8, length) == SUCCESS
            found[fd] = self.peek(ROOM + 8, length).decode()
            fd += 1
        return found

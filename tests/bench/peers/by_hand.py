"""Code of a careful user of Wasmtime's Python binding without marine-gen: a module's own conventions, by hand.

Only the public API is used, exported functions are looked up once, and nothing is generic. The modules are those that
the engines run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import wasmtime

from marine_gen.bench.machine import installed_version
from tests.bench.fresh import run_fresh
from tests.bench.model import Case
from tests.bench.peers.base import Contender, NotMeasuredError, contender, no_result
from tests.bench.peers.engines import scratch_folder, write_modules


class _Guest:
    """An instance with the functions that every Marine module exports."""

    def __init__(self, store: wasmtime.Store, linker: wasmtime.Linker, module: wasmtime.Module) -> None:
        self.store = store
        exports = linker.instantiate(store, module).exports(store)
        self.exports = exports
        self.memory: Any = exports["memory"]
        self.allocate: Any = exports["allocate"]
        self.release: Any = exports["release_objects"]
        self.pointer: Any = exports["get_result_ptr"]
        self.size: Any = exports["get_result_size"]
        self.set_pointer: Any = exports["set_result_ptr"]
        self.set_size: Any = exports["set_result_size"]
        initialize: Any = exports.get("_initialize")
        if initialize is not None:
            initialize(store)

    def lower(self, data: bytes) -> tuple[int, int]:
        pointer = self.allocate(self.store, len(data), 1) & 0xFFFFFFFF
        self.memory.write(self.store, data, pointer)
        return pointer, len(data)

    def lift(self, pointer: int, size: int) -> bytes:
        start = pointer & 0xFFFFFFFF
        data: bytes = bytes(self.memory.read(self.store, start, start + (size & 0xFFFFFFFF)))
        return data

    def result(self) -> bytes:
        data = self.lift(self.pointer(self.store), self.size(self.store))
        self.release(self.store)
        return data

    def lower_record(self, record: tuple[Any, ...]) -> int:
        """The record of shapes.py: a number, a string, a float, packed."""
        age, name, score = record
        return self.lower(_RECORD.pack(age, *self.lower(name.encode()), score))[0]

    def lift_record(self, pointer: int) -> tuple[Any, ...]:
        age, name, size, score = _RECORD.unpack(self.lift(pointer, _RECORD.size))
        return (age, self.lift(name, size).decode(), score)

    def record_result(self) -> tuple[Any, ...]:
        record = self.lift_record(self.pointer(self.store))
        self.release(self.store)
        return record


_RECORD = struct.Struct("<IIId")


def open_modules(modules: Mapping[str, bytes], shape: str = "string") -> _Guest:
    """The last of the modules, linked to the others; what they import takes one value of the shape and gives one."""
    link_to = _record_link if shape == "record" else _link
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    linker.define_wasi()
    store.set_wasi(wasmtime.WasiConfig())
    guests: dict[str, _Guest] = {}
    for name, content in modules.items():
        module = wasmtime.Module(engine, content)
        holder: list[_Guest] = []
        for needed in module.imports:
            if needed.module in guests and needed.name is not None:
                link = link_to(holder, guests[needed.module], needed.name)
                kind = needed.type
                assert isinstance(kind, wasmtime.FuncType)
                linker.define_func(needed.module, needed.name, kind, link)
        holder.append(_Guest(store, linker, module))
        guests[name] = holder[0]
    return guests[list(modules)[-1]]


def _link(holder: list[_Guest], callee: _Guest, name: str) -> Callable[[int, int], None]:
    """A function over strings or byte arrays."""
    function: Any = callee.exports[name]

    def call(pointer: int, size: int) -> None:
        caller = holder[0]
        data = caller.lift(pointer, size)
        caller.release(caller.store)
        function(callee.store, *callee.lower(data))
        start, count = caller.lower(callee.result())
        caller.set_pointer(caller.store, start)
        caller.set_size(caller.store, count)

    return call


def _record_link(holder: list[_Guest], callee: _Guest, name: str) -> Callable[[int], None]:
    function: Any = callee.exports[name]

    def call(pointer: int) -> None:
        caller = holder[0]
        record = caller.lift_record(pointer)
        caller.release(caller.store)
        function(callee.store, callee.lower_record(record))
        caller.set_pointer(caller.store, caller.lower_record(callee.record_result()))

    return call


def open_string_call(modules: Mapping[str, bytes], function: str) -> Callable[[str], str]:
    """A function from string to string."""
    guest = open_modules(modules)
    raw: Any = guest.exports[function]

    def call(text: str) -> str:
        raw(guest.store, *guest.lower(text.encode()))
        return guest.result().decode()

    return call


def _open_bytes_call(modules: Mapping[str, bytes], function: str) -> Callable[[bytes], bytes]:
    guest = open_modules(modules)
    raw: Any = guest.exports[function]

    def call(data: bytes) -> bytes:
        raw(guest.store, *guest.lower(data))
        return guest.result()

    return call


def _open_scalar_call(modules: Mapping[str, bytes], function: str) -> Callable[[int], int]:
    guest = open_modules(modules)
    raw: Any = guest.exports[function]
    return partial(raw, guest.store)


def _open_record_call(modules: Mapping[str, bytes], function: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    guest = open_modules(modules)
    raw: Any = guest.exports[function]

    def call(record: tuple[Any, ...]) -> tuple[Any, ...]:
        raw(guest.store, guest.lower_record(record))
        return guest.record_result()

    return call


def _open_u64s_call(modules: Mapping[str, bytes], function: str) -> Callable[[list[int]], list[int]]:
    guest = open_modules(modules)
    raw: Any = guest.exports[function]

    def call(numbers: list[int]) -> list[int]:
        pointer, _ = guest.lower(struct.pack(f"<{len(numbers)}Q", *numbers))
        raw(guest.store, pointer, len(numbers))
        count = guest.size(guest.store)
        data = guest.lift(guest.pointer(guest.store), count * 8)
        guest.release(guest.store)
        return list(struct.unpack(f"<{count}Q", data))

    return call


def _open_loop(modules: Mapping[str, bytes], function: str) -> Callable[[int, str | bytes], int]:
    guest = open_modules(modules)
    raw: Any = guest.exports[function]

    def call(count: int, data: str | bytes) -> int:
        result: int = raw(guest.store, count, *guest.lower(data.encode() if isinstance(data, str) else data))
        return result

    return call


def _open_record_loop(modules: Mapping[str, bytes], function: str) -> Callable[[int, tuple[Any, ...]], int]:
    guest = open_modules(modules, "record")
    raw: Any = guest.exports[function]

    def call(count: int, record: tuple[Any, ...]) -> int:
        result: int = raw(guest.store, count, guest.lower_record(record))
        return result

    return call


_OPENERS: dict[str, Callable[[Mapping[str, bytes], str], Callable[..., Any]]] = {
    "scalar": _open_scalar_call,
    "greeting": open_string_call,
    "string": open_string_call,
    "bytes": _open_bytes_call,
    "record": _open_record_call,
    "u64s": _open_u64s_call,
    "chain": open_string_call,
}
_LOOPS: dict[str, Callable[[Mapping[str, bytes], str], Callable[..., Any]]] = {
    "string": _open_loop,
    "bytes": _open_loop,
    "record": _open_record_loop,
}


@dataclass(frozen=True, slots=True)
class ByHand:
    """Code for one signature at a time."""

    name: str = "by hand"

    @property
    def about(self) -> str:
        """The description for the report."""
        version = installed_version("wasmtime")
        return f"the same modules, called with code written by hand over the public API of wasmtime-py {version}"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        work = case.work
        opener = (_LOOPS if case.crossing else _OPENERS).get(work.shape)
        if opener is None:
            raise NotMeasuredError("not written for this type: one such function is needed for each signature")
        if case.kind in ("first call", "memory"):
            files = write_modules(work, scratch_folder(stack))
            return run_fresh(case, "by hand", {name: str(path) for name, path in files.items()})
        if case.kind == "cold load":
            return contender(partial(no_result, partial(open_modules, work.modules)))
        if case.kind != "call":
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        return contender(partial(opener(work.modules, work.function), *work.arguments), work.per)

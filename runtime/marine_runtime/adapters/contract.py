"""What adapters get at link time (`Link`) and what they give back (`BoundAdapters`), for every engine.

Generated code imports its helpers from here: they are few, enumerated by the compiler's backend, and bound to one
memory when the module is linked. Helpers take and give unsigned pointers and lengths.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any, NoReturn, Protocol

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.codec import (
    MAX_RECORD_DEPTH,
    Allocate,
    Codec,
    failed_allocation,
    invalid_utf8,
    too_deep,
    too_large,
)
from marine_runtime.adapters.staging import BatchCode, Staging, StepInfo
from marine_runtime.calls.guard import Guard
from marine_runtime.calls.sites import locate
from marine_runtime.errors import ArgumentError, CallError, Site
from marine_runtime.values.scalars import to_f32
from marine_runtime.wasm import Module
from marine_runtime.wasm.api import Codes, CoreFunction
from marine_runtime.wasm.memory import Memory

__all__ = [
    "MAX_RECORD_DEPTH",
    "ArgumentError",
    "BatchCode",
    "BoundAdapters",
    "CallError",
    "Guard",
    "ImportAdapter",
    "Link",
    "Memory",
    "Sites",
    "block_allocator",
    "bool_lifter",
    "bytes_lifter",
    "bytes_lowerer",
    "bytes_storer",
    "failed_allocation",
    "flat_lifter",
    "flat_lowerer",
    "get_ident",
    "locate",
    "out_of_range",
    "string_lifter",
    "string_lowerer",
    "to_f32",
    "too_deep",
    "too_large",
]

Adapter = Callable[..., Any]
"""Internal values in; None, one internal value, or a tuple of them out."""


class Link(Protocol):
    """One module instance under construction, as its glue sees it."""

    plan: ModulePlan
    guard: Guard

    @property
    def memory(self) -> Memory:
        """The instance's first exported memory."""
        ...

    def core(self, index: int, params: Codes, results: Codes) -> CoreFunction:
        """Core export `index` of the call-core index space."""
        ...

    def callee(self, index: int) -> Adapter:
        """The export adapter of the module that provides entry `index` of the call-core index space."""
        ...

    @property
    def codec(self) -> Codec:
        """The generic codec over the instance's memory; generated code asks it to explain a failed lift."""
        ...

    def check(self, function: str, position: int, value: Any) -> Any:
        """Argument `position` of an exported function as an internal value; raises ArgumentError."""
        ...

    @property
    def staging(self) -> Staging:
        """The staging memory of the service; only fused glue has one."""
        ...

    def fused(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        """An export of the module's fused glue."""
        ...

    def refusal(self, function: str, row: Any) -> Exception:
        """Why `row` can't be the arguments of `function`."""
        ...

    def publisher(self, function: str) -> Callable[[Any], Any] | None:
        """From what an export adapter gives back to what its caller gets; None when they are the same."""
        ...


@dataclass(frozen=True, slots=True)
class ImportAdapter:
    """An import adapter, bound: raw values by code in, raw values by code out."""

    params: Codes
    results: Codes
    run: CoreFunction


@dataclass(frozen=True, slots=True)
class BoundAdapters:
    """The adapters of one instance, ready to run.

    Attributes:
        exports: export adapters over internal values; other modules call these.
        imports: import adapters by (namespace, name).
        entries: guarded functions over public values; users call these.
        calls: what entries run, over internal values, where that is not the export adapter itself.
        batches: many calls in one entry into Wasm: argument rows in, results (internal values) or exceptions out.
    """

    exports: Mapping[str, Adapter] = field(default_factory=dict)
    imports: Mapping[tuple[str, str], ImportAdapter] = field(default_factory=dict)
    entries: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    calls: Mapping[str, Adapter] = field(default_factory=dict)
    batches: Mapping[str, Callable[[list[Any]], list[Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FusedModules:
    """The Wasm side of fused glue.

    Attributes:
        glue: the glue module.
        stub: the module that stands for the guest's imports until the glue exists, when there are fused imports.
        needs: what the glue imports, in order: (module, export name), the name being None for its memory.
        imports: (namespace, name) of the fused imports, in the order of the stub's exports.
        sites: the site table.
    """

    glue: Module
    stub: Module | None = None
    needs: tuple[tuple[str, str | None], ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    sites: tuple[StepInfo, ...] = ()


class Glue(Protocol):
    """The adapters of one module, under some engine, not yet tied to an instance."""

    engine: str

    @property
    def fused(self) -> FusedModules | None:
        """The Wasm side, when the adapters run inside Wasm."""
        ...

    @property
    def import_codes(self) -> Mapping[tuple[str, str], tuple[Codes, Codes]]:
        """Parameter and result codes of every import adapter."""
        ...

    @property
    def record_classes(self) -> Mapping[int, type]:
        """The dataclass of every record by type index."""
        ...

    def bind(self, link: Link) -> BoundAdapters:
        """Tie the adapters to an instance. Called once per instance, before anything of it runs."""
        ...


class Sites:
    """Where lines of a generated file come from.

    A row is the first line of an instruction's code, with side, function, index and text of the instruction; a row of
    a line alone ends the code of an adapter.
    """

    def __init__(self, module: str, rows: Sequence[tuple[int] | tuple[int, str, str, int, str]]) -> None:
        self._lines = [row[0] for row in rows]
        self._sites = [
            Site(module, row[2], row[1], row[3], row[4]) if len(row) == 5 else None  # rows come in two lengths
            for row in rows
        ]

    def at(self, line: int) -> Site | None:
        """The site whose code covers `line`; None for helpers, entries and everything else."""
        position = bisect_right(self._lines, line) - 1
        return self._sites[position] if position >= 0 else None


def out_of_range(value: int, target: str) -> NoReturn:
    """A guest's or caller's number does not fit the type it is converted to."""
    raise CallError(f"{value} is out of range for {target}")


def bytes_lifter(memory: Memory) -> Callable[[int, int], bytes]:
    """`byte_array.lift_memory`: (ptr, size) -> a copy."""

    def lift_bytes(ptr: int, size: int) -> bytes:
        if not size:
            return b""
        data = bytes(memory.view[ptr : ptr + size])
        if len(data) != size:
            data = bytes(memory.claim(ptr, size))
        return data

    return lift_bytes


def string_lifter(memory: Memory) -> Callable[[int, int], str]:
    """`string.lift_memory`: (ptr, size in bytes) -> text."""

    def lift_string(ptr: int, size: int) -> str:
        if not size:
            return ""
        data = memory.view[ptr : ptr + size]
        if len(data) != size:
            data = memory.claim(ptr, size)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as error:
            raise invalid_utf8(error) from None

    return lift_string


def bytes_storer(memory: Memory) -> Callable[[int, bytes], None]:
    """`byte_array.lower_memory` and `string.lower_memory`: write to an allocated block."""

    def store_bytes(ptr: int, data: bytes) -> None:
        size = len(data)
        if size:
            if not ptr:
                raise failed_allocation(size)
            target = memory.view[ptr : ptr + size]
            if len(target) != size:
                target = memory.claim(ptr, size)
            target[:] = data

    return store_bytes


def block_allocator(memory: Memory, allocate: Allocate) -> Callable[[int, int], int]:
    """(size in bytes, tag) -> address of a new block that is not empty and lies inside the memory."""

    def new_block(size: int, tag: int) -> int:
        if size >= 2**32:
            raise too_large(size)
        ptr = allocate(size, tag)
        if not ptr:
            raise failed_allocation(size)
        if ptr + size > len(memory.view):
            memory.require(ptr, size)
        return ptr

    return new_block


def bytes_lowerer(memory: Memory, allocate: Allocate) -> Callable[[bytes], tuple[int, int]]:
    """Allocate and write: bytes -> (ptr, size)."""
    store = bytes_storer(memory)

    def lower_bytes(data: bytes) -> tuple[int, int]:
        size = len(data)
        ptr = allocate(size, 1)
        store(ptr, data)
        return ptr, size

    return lower_bytes


def string_lowerer(memory: Memory, allocate: Allocate) -> Callable[[str], tuple[int, int]]:
    """Allocate and write: text -> (ptr, size in bytes)."""
    store = bytes_storer(memory)

    def lower_string(text: str) -> tuple[int, int]:
        data = text.encode()
        size = len(data)
        ptr = allocate(size, 1)
        store(ptr, data)
        return ptr, size

    return lower_string


def flat_lifter(memory: Memory, code: Any, size: int) -> Callable[[int, int], list[Any]]:
    """`array.lift_memory` for numbers of `size` bytes each: (ptr, count) -> list, in one operation."""

    def lift_flat(ptr: int, count: int) -> list[Any]:
        if not count:
            return []
        length = count * size
        data = memory.view[ptr : ptr + length]
        if len(data) != length:
            data = memory.claim(ptr, length)
        return data.cast(code).tolist()

    return lift_flat


def bool_lifter(memory: Memory) -> Callable[[int, int], list[bool]]:
    """`array.lift_memory bool`: any non-zero byte is true."""
    lift_bytes = bytes_lifter(memory)

    def lift_bools(ptr: int, count: int) -> list[bool]:
        return list(map(bool, lift_bytes(ptr, count))) if count else []

    return lift_bools


def flat_lowerer(
    memory: Memory, allocate: Allocate, code: str, size: int, tag: int
) -> Callable[[Any], tuple[int, int]]:
    """`array.lower_memory` for numbers of `size` bytes each: list -> (ptr, count), in one operation."""
    store = bytes_storer(memory)

    def lower_flat(values: Any) -> tuple[int, int]:
        count = len(values)
        if not count:
            return 0, 0
        length = count * size
        if length >= 2**32:
            raise too_large(length)
        ptr = allocate(length, tag)
        store(ptr, bytes(values) if code == "?" else array(code, values).tobytes())
        return ptr, count

    return lower_flat

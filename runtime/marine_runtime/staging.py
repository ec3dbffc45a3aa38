"""The staging memory of a service: where values of the host wait for the fused glue, and where it leaves results.

Layout, by byte offset:

    0    kind of the fault that made the glue trap, 0 for none (i32)
    8    its numbers: three i64
    32   top of the stack of positions (i32, an address)
    40   batch: number of finished calls (i32)
    44   batch: first free byte of the data (i32)
    64   the stack of positions: one i32 per fused adapter that is running, innermost last
    4096 data: values in Marine's layout, addresses absolute

A position is `ordinal of the module << 20 | row of its site table`. It is written before anything that can fail, so
that a failure anywhere in a chain of modules can be placed without costing more than a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any

from marine_runtime.backend.api import CoreFunction, Memory, out_of_bounds
from marine_runtime.codec import Codec, failed_allocation, too_large
from marine_runtime.errors import CallError, Site
from marine_runtime.sites import attach
from marine_runtime.types import Array, IType, Prim, Record

FAULT_KIND, FAULT_VALUES, STACK_TOP, BATCH_DONE, BATCH_FREE, STACK, DATA = 0, 8, 32, 40, 44, 64, 4096
MAX_MODULES = (DATA - STACK) // 4 // 2
"""More modules than this are not fused: the stack of positions must hold a chain through all of them."""

ORDINAL_SHIFT = 20
KEPT = 4 << 20
"""Bytes of staging that stay resident after a call that needed more."""

BATCH_ROWS = 4096
"""Calls that one entry into Wasm runs at most; what they stage has to be resident at once."""

Encode = Callable[[list[Any], int], tuple[list[bytes], list[bytes], int, dict[int, Exception]]]
"""From rows and the first free byte to: argument cells, the data they point at, the byte after the data, and the rows
that do not fit the signature with the reason."""

_PAGE = 1 << 16
_FAULT = Struct("<i4xqqq")
_WORD = Struct("<I")


class Fault(IntEnum):
    """Why the glue trapped, with the meaning of the fault's numbers."""

    LIFT = 1  # ptr, length: the value there is not valid
    BOUNDS = 2  # ptr, size, memory size
    ALLOCATE = 3  # size
    TOO_LARGE = 4  # size
    RANGE = 5  # value
    STAGING = 6  # size


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One row of a site table.

    Attributes:
        trail: the adapter instructions that a step stands for, the outermost first.
        module: whose memory a lifted value lies in.
        type: the type that is lifted, or the target of a conversion.
        unsigned: whether the converted number is unsigned.
    """

    trail: tuple[Site, ...]
    module: str = ""
    type: IType | None = None
    unsigned: bool = False


class Staging:
    """The staging memory of one service.

    Attributes:
        memory: the memory; `view` covers at least what calls usually need.
        cursor: first free byte while arguments are encoded.
        large: whether more than `KEPT` bytes may be resident.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.cursor = DATA
        self.large = False
        self._sites: dict[int, Sequence[StepInfo]] = {}
        self._codecs: dict[str, Callable[[], Codec]] = {}
        self._reset()

    def add_module(self, ordinal: int, name: str, sites: Sequence[StepInfo], codec: Callable[[], Codec]) -> None:
        """Make the positions and values of a module known."""
        self._sites[ordinal] = sites
        self._codecs[name] = codec

    def stage(self, at: int, data: bytes) -> int:
        """Copy `data` to `at`; gives the byte after it."""
        end = at + len(data)
        if end > len(self.memory.view):
            self._reserve(end)
        self.memory.view[at:end] = data
        return end

    def allocate(self, size: int, tag: int) -> int:
        """Room for `size` bytes, as a guest's `allocate`; the tag means nothing here."""
        at = self.cursor
        self.cursor = end = at + size
        if end > len(self.memory.view):
            self._reserve(end)
        return at

    def _reserve(self, end: int) -> None:
        """Make the memory at least `end` bytes long."""
        if end >= 2**32:
            raise CallError(f"the arguments take {end - DATA} bytes, more than a 32-bit memory")
        self.memory.refresh()
        missing = end - len(self.memory.view)
        if missing > 0 and not self.memory.grow(-(-missing // _PAGE)):
            raise CallError(f"the staging memory can't grow by {missing} bytes")
        self.memory.refresh()
        self.large = self.large or end > KEPT

    def shrink(self) -> None:
        """Give back what a large call needed."""
        self.memory.discard(KEPT)
        self.memory.refresh()
        # A short view: the next large call has to come through `_reserve` or `claim` and is noticed again.
        self.memory.view = self.memory.view[:KEPT]
        self.large = False

    def run_batch(
        self,
        rows: list[Any],
        entry: CoreFunction,
        in_size: int,
        out_size: int,
        encode: Encode,
        decode: Callable[[bytes], list[Any]],
    ) -> list[Any]:
        """Run many calls with one entry into Wasm for every `BATCH_ROWS` of them.

        Args:
            rows: arguments of each call.
            entry: the glue's batch function: (arguments, results, count, first free byte).
            in_size: bytes of the arguments of one call, in cells of 8.
            out_size: bytes of its results.
            encode: see `Encode`.
            decode: from the cells of finished calls to results.

        Returns:
            A result or an exception for every row, in order. A failing call does not stop the others.
        """
        results: list[Any] = []
        for start in range(0, len(rows), BATCH_ROWS):
            results += self._run_slice(rows[start : start + BATCH_ROWS], entry, in_size, out_size, encode, decode)
            if self.large:
                self.shrink()
        return results

    def _run_slice(
        self,
        rows: list[Any],
        entry: CoreFunction,
        in_size: int,
        out_size: int,
        encode: Encode,
        decode: Callable[[bytes], list[Any]],
    ) -> list[Any]:
        out_at = DATA + len(rows) * in_size
        data_at = out_at + len(rows) * out_size
        cells, chunks, free, bad = encode(rows, data_at)
        self.stage(DATA, b"".join(cells))
        if chunks:
            self.stage(data_at, b"".join(chunks))
        self.stage(data_at, b"")  # the results need room too
        failed = self._run_all(entry, len(cells), in_size, out_at, out_size, free)
        results: list[Any] = []
        begin = 0
        for stop in (*failed, len(cells)):
            data = self.memory.read(out_at + begin * out_size, (stop - begin) * out_size)
            results += decode(data) if out_size else [None] * (stop - begin)
            if stop in failed:
                results.append(failed[stop])
            begin = stop + 1
        for position, reason in sorted(bad.items()):
            results.insert(position, reason)
        return results

    def _run_all(
        self, entry: CoreFunction, count: int, in_size: int, out_at: int, out_size: int, free: int
    ) -> dict[int, Exception]:
        """Run the staged calls, entering Wasm again after each failure; gives the failures by position, ascending."""
        failed: dict[int, Exception] = {}
        done = 0
        while done < count:
            _WORD.pack_into(self.memory.view, BATCH_DONE, 0)
            _WORD.pack_into(self.memory.view, BATCH_FREE, free)
            try:
                entry(DATA + done * in_size, out_at + done * out_size, count - done, free)
                break
            except BaseException as error:
                (finished,) = _WORD.unpack_from(self.memory.view, BATCH_DONE)
                (free,) = _WORD.unpack_from(self.memory.view, BATCH_FREE)
                found = self.explain(error)
                if not isinstance(found, Exception):
                    raise
                failed[done + finished] = found
                done += finished + 1
        return failed

    def explain(self, error: BaseException) -> BaseException:
        """What a call through the glue raises instead of `error`, which came out of it; forgets the call.

        A fault of the glue becomes the error that the interpreter would raise. Any CallError gets the places of the
        fused adapters that were running. Anything else is a host function's own and stays as it is.
        """
        kind, *numbers = _FAULT.unpack_from(self.memory.view, FAULT_KIND)
        (top,) = _WORD.unpack_from(self.memory.view, STACK_TOP)
        rows = [self._row(at) for at in range(STACK, min(top, DATA), 4)]
        self._reset()
        if not isinstance(error, CallError):
            return error
        if kind and rows:
            error = self._fault(Fault(kind), numbers, rows[-1])
        for row in reversed(rows):
            for site in reversed(row.trail):
                error = attach(error, site)
        return error

    def _row(self, at: int) -> StepInfo:
        (position,) = _WORD.unpack_from(self.memory.view, at)
        row: int = position & ((1 << ORDINAL_SHIFT) - 1)
        return self._sites[position >> ORDINAL_SHIFT][row]

    def _fault(self, kind: Fault, numbers: Sequence[int], row: StepInfo) -> CallError:
        first, second, third = numbers
        match kind:
            case Fault.LIFT:
                return self._lift_again(row, first, second)
            case Fault.BOUNDS:
                return out_of_bounds(first, second, third)
            case Fault.ALLOCATE:
                return failed_allocation(first)
            case Fault.TOO_LARGE:
                return too_large(first)
            case Fault.RANGE:
                value = first % 2**64 if row.unsigned else first
                return CallError(f"{value} is out of range for {row.type}")
            case Fault.STAGING:
                return CallError(f"the staging memory can't grow by {first} bytes")

    def _lift_again(self, row: StepInfo, ptr: int, length: int) -> CallError:
        """The glue only knows that a value is bad; the codec says what and where. The guest has not run since."""
        codec = self._codecs[row.module]()
        try:
            if isinstance(row.type, Record):
                codec.lift_record(row.type.id, ptr)
            elif row.type is Prim.STRING:
                codec.lift_string(ptr, length)
            elif row.type is not None:
                codec.lift_array(row.type.element if isinstance(row.type, Array) else Prim.U8, ptr, length)
        except CallError as error:
            return error
        return CallError(f"the value at address {ptr} is not a valid {row.type}")

    def _reset(self) -> None:
        _FAULT.pack_into(self.memory.view, FAULT_KIND, 0, 0, 0, 0)
        _WORD.pack_into(self.memory.view, STACK_TOP, STACK)


def step_info(row: Sequence[Any]) -> StepInfo:
    """A row of a site table as generated code spells it: the trail, then what a fault there is about."""
    trail = tuple(Site(*frame) for frame in row[0])
    match row[1:]:
        case ("lift", str(module), ty):
            return StepInfo(trail, module, ty)
        case ("range", ty, bool(unsigned)):
            return StepInfo(trail, "", ty, unsigned)
        case _:
            return StepInfo(trail)

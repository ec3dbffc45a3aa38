"""Batches of calls through the fused glue: the arguments of all rows in columns, one entry into Wasm for thousands.

`marine_runtime.abi.packed` has the form of the arguments. Each call leaves its results in cells of 8 bytes, and behind
the block what they point at; strings end with NUL.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from marine_runtime.adapters.staging import BATCH_ARGUMENTS, BATCH_DONE, DATA, SLACK, Staging
from marine_runtime.errors import ArgumentError, CallError
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.api import CoreFunction

BATCH_ROWS = 4096
"""Calls that one entry into Wasm runs at most."""

CHECKED_ROWS = 64
"""Rows that are checked one by one before any of them runs, where some row is unusual."""

_PIECE = 64  # strings that are joined without a look at their size

_UNUSUAL = (AttributeError, IndexError, OverflowError, struct.error, TypeError, ValueError)
_WORD = struct.Struct("<I")

Rows = Sequence[Any]


@dataclass(frozen=True, slots=True)
class BatchCode:
    """The staging of calls of one function.

    Attributes:
        entry: the glue's batch function: (block of arguments, results, count, first free byte).
        out_size: bytes of the results of one call, in cells of 8.
        pack: from rows of public values, each a list or a tuple, to their block; None when it would be too large. It
            raises one of the errors of packing for a row that is unusual.
        pack_checked: the same for rows of internal values.
        check: from one row to its internal values.
        refusal: the reason for which a row does not fit.
        decode: from the cells of finished calls and their number to public results.
    """

    entry: CoreFunction
    out_size: int
    pack: Callable[[Rows], bytes | None]
    pack_checked: Callable[[Rows], bytes | None]
    check: Callable[[Any], tuple[Any, ...]]
    refusal: Callable[[Any], Exception]
    decode: Callable[[bytes, int], list[Any]]


def run_batch(staging: Staging, rows: list[Any], batch: BatchCode) -> list[Any]:
    """Run many calls with one entry into Wasm for thousands of them.

    Returns:
        A result or an exception for every row, in order. A failing call does not stop the others.
    """
    results: list[Any] = []
    try:
        while len(results) < len(rows):
            results += _run_slice(staging, rows[len(results) : len(results) + BATCH_ROWS], batch)
    finally:
        staging.settle()
    return results


def pack_all(pack: Callable[[Any], bytes], values: Rows) -> list[bytes]:
    """Packed values; fewer than there are where they take too much room for one entry."""
    packed: list[bytes] = []
    size = 0
    for value in values:
        if size > BATCH_ARGUMENTS:
            break
        block = pack(value)
        packed.append(block)
        size += len(block)
    return packed


def join_all(texts: Sequence[str]) -> str | None:
    """The strings, with NUL between them; None where they take too much room for one entry."""
    parts: list[str] = []
    size = 0
    for at in range(0, len(texts), _PIECE):
        if size > BATCH_ARGUMENTS:
            return None
        part = "\0".join(texts[at : at + _PIECE])
        parts.append(part)
        size += len(part)
    return "\0".join(parts)


def _run_slice(staging: Staging, rows: Rows, batch: BatchCode) -> list[Any]:
    """The results of the first rows, of as many as are staged at once."""
    try:
        block = batch.pack(rows)
    except _UNUSUAL:
        return _run_checked(staging, rows[:CHECKED_ROWS], batch)
    return _run_block(staging, rows, block, batch, batch.pack)


def _run_checked(staging: Staging, rows: Rows, batch: BatchCode) -> list[Any]:
    """The results of all rows, each of which is checked before one of them runs."""
    good: list[Any] = []
    bad: dict[int, Exception] = {}
    for position, row in enumerate(rows):
        try:
            good.append(batch.check(row))
        except (ArgumentError, TypeError, ValueError):
            bad[position] = batch.refusal(row)
    results: list[Any] = []
    while left := good[len(results) :]:
        results += _run_block(staging, left, batch.pack_checked(left), batch, batch.pack_checked)
    for position, reason in bad.items():
        results.insert(position, reason)
    return results


def _run_block(
    staging: Staging, rows: Rows, block: bytes | None, batch: BatchCode, pack: Callable[[Rows], bytes | None]
) -> list[Any]:
    """The results of the first rows; half of them are tried where there is no room for all."""
    while True:
        out_at = DATA
        if block is not None:
            out_at = (DATA + len(block) + SLACK + 7) & ~7
            try:
                staging.stage(DATA, block)
                staging.reserve(out_at + len(rows) * batch.out_size)
                break
            except CallError as error:  # nothing has run yet
                if len(rows) == 1:
                    return [error]
        rows = rows[: len(rows) // 2]
        block = pack(rows)
    return _run_staged(staging, batch, len(rows), out_at)


def _run_staged(staging: Staging, batch: BatchCode, count: int, out_at: int) -> list[Any]:
    """Run the staged calls. Wasm is left after a failure, and when the results so far take much room.

    The block knows which row is next.
    """
    results: list[Any] = []
    free = out_at + count * batch.out_size
    while (done := len(results)) < count:
        _WORD.pack_into(staging.memory.view, BATCH_DONE, 0)
        failure: BaseException | None = None
        try:
            batch.entry(DATA, out_at, count - done, free)
        except BaseException as error:
            failure = staging.judge(staging.explain_call(error))
            if not isinstance(failure, Exception):
                raise
        (finished,) = _WORD.unpack_from(staging.memory.view, BATCH_DONE)
        cells = staging.memory.read(out_at, finished * batch.out_size)
        decoded = batch.decode(cells, finished)
        results = results + decoded if results else decoded
        if failure is not None:
            results.append(failure)
    return results

"""Calls from one module to another, in a loop inside the caller."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.cases.calls import BYTES_SIZES, human
from tests.bench.model import Case, Work
from tests.bench.modules import echo, looping
from tests.bench.shapes import SHAPES
from tests.support.engines import guests

GROUP = "Calls from module to module"
LOOP = 1000


def looped(shape: str, size: int, count: int) -> Work:
    """A value of a shape there and back, so many times."""
    modules = {"callee": echo(SHAPES[shape]), "caller": looping(SHAPES[shape], "callee")}
    return Work(modules, "many", (count, SHAPES[shape].value(size)), count, shape, count)


def short_string() -> Work:
    """The short string of the headline figures, between two C guests."""
    return Work(guests("bench_effector", "bench_pure"), "call_many", (LOOP, "John"), 4 * LOOP, "string", LOOP)


def freed_bytes(size: int) -> Work:
    """Bytes there and back between the same guests, which free each block."""
    count = _count(size)
    data = SHAPES["bytes"].value(size)
    modules = guests("bench_effector", "bench_pure")
    return Work(modules, "bytes_many", (count, data), (count * size) % 2**32, "bytes", count)


def _count(size: int) -> int:
    """The number of crossings of so many bytes in one call."""
    return max(2, min(LOOP, 2**22 // max(size, 1)))


def crossing() -> Iterator[Case]:
    """Short string, then every shape."""
    yield Case("crossing string", GROUP, 'string "John", C guests', "call", short_string(), crossing=True)
    yield Case("crossing scalar", GROUP, "u32", "call", looped("scalar", 7, LOOP), crossing=True)
    for size in BYTES_SIZES:
        name, series = f"crossing bytes {size}", "bytes from module to module"
        work = looped("bytes", size, _count(size))
        yield Case(name, GROUP, f"bytes, {human(size)}", "call", work, series, "bytes", size, crossing=True)
    title = "bytes, 10 B, C guests"
    yield Case("crossing freed bytes", GROUP, title, "call", freed_bytes(10), crossing=True)
    for size, count in ((10, LOOP), (2**20, 4)):
        work = looped("string", size, count)
        yield Case(f"crossing string {size}", GROUP, f"string, {human(size)}", "call", work, crossing=True)
    yield Case("crossing record", GROUP, "record of 3 fields", "call", looped("record", 7, LOOP), crossing=True)
    title = "record of 13 fields, one a record"
    yield Case("crossing record of 13", GROUP, title, "call", looped("record of 13", 7, LOOP), crossing=True)
    for shape in ("strings", "records", "u64s"):
        work = looped(shape, 1000, 10)
        yield Case(f"crossing {shape}", GROUP, f"array of 1,000 {shape}", "call", work, crossing=True)

"""Calls from the host: one value in, the same value out."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.model import Case, Work
from tests.bench.modules import chain, echo
from tests.bench.shapes import SHAPES
from tests.support.engines import guests

GROUP = "Calls from the host"
STRING_SIZES = (10, 1024, 2**16, 2**20)
BYTES_SIZES = (10, 1024, 2**16, 2**20, 2**24)
BATCH = 1000


def human(size: int) -> str:
    """A size in bytes."""
    for unit, factor in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


def greeting() -> Work:
    """The short string of the headline figures: a C guest, `greeting("John")`."""
    return Work(guests("greeting"), "greeting", ("John",), "Hi, John", "greeting")


def echoing(shape: str, size: int) -> Work:
    """A value of a shape through a module that gives it back."""
    value = SHAPES[shape].value(size)
    return Work({"echo": echo(SHAPES[shape])}, "echo", (value,), value, shape)


def chained(length: int) -> Work:
    """A short string through so many modules and back."""
    text = SHAPES["string"].value(10)
    return Work(chain(length), "echo", (text,), text, "chain")


def calls() -> Iterator[Case]:
    """Short string, batch, then every shape."""
    yield Case("greeting", GROUP, 'greeting("John")', "call", greeting())
    yield Case("greeting batch", GROUP, f'greeting("John"), batches of {BATCH:,}', "batch", greeting(), count=BATCH)
    yield Case("scalar", GROUP, "u32", "call", echoing("scalar", 7))
    for shape, sizes in (("string", STRING_SIZES), ("bytes", BYTES_SIZES)):
        for size in sizes:
            title, name = f"{shape}, {human(size)}", f"{shape} {size}"
            yield Case(name, GROUP, title, "call", echoing(shape, size), f"{shape} from the host", "bytes", size)
    yield Case("record", GROUP, "record of 3 fields", "call", echoing("record", 7))
    yield Case("record of 13", GROUP, "record of 13 fields, one a record", "call", echoing("record of 13", 7))
    for shape in ("strings", "records", "u64s"):
        yield Case(shape, GROUP, f"array of 1,000 {shape}", "call", echoing(shape, 1000))
    yield Case("chain", GROUP, "string through three modules", "call", chained(3))

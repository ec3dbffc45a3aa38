"""Growth of cost with modules, functions, nesting, elements and services. Growth with bytes is in `calls`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.cases.calls import chained, echoing, greeting
from tests.bench.model import POINTS, Case, Kind, Work
from tests.bench.modules import echo
from tests.bench.shapes import SHAPES, nested

GROUP = POINTS


def scaling() -> Iterator[Case]:
    """A case for every point of every curve."""
    text = SHAPES["string"].value(10)
    for length in (1, 2, 4, 8, 16, 32):
        work = chained(length)
        yield _point("call through a chain of modules", "modules", length, "call", work)
        yield _point("loading a chain of modules from the cache", "modules", length, "warm load", work)
    for count in (1, 4, 16, 64, 256):
        work = Work({"echo": echo(SHAPES["string"], count - 1)}, "echo", (text,), text)
        yield _point("loading a module with functions, cold", "functions", count, "cold load", work)
        yield _point("loading a module with functions from the cache", "functions", count, "warm load", work)
        yield _point("call of a module with functions", "functions", count, "call", work)
    for depth in (1, 2, 4, 8, 16, 32):
        shape = nested(depth)
        value = shape.value(7)
        work = Work({"echo": echo(shape)}, "echo", (value,), value)
        yield _point("call with nested records", "depth", depth, "call", work)
        yield _point("loading a module with nested records, cold", "depth", depth, "cold load", work)
    for count in (10, 100, 1000, 10_000):
        yield _point("call with an array of strings", "elements", count, "call", echoing("strings", count))
        yield _point("call with an array of records", "elements", count, "call", echoing("records", count))
    for count in (1, 4, 16, 64):
        yield _point("call of one of many services in turn", "services", count, "services", greeting(), count)


def _point(series: str, axis: str, x: int, kind: Kind, work: Work, count: int = 1) -> Case:
    return Case(f"{series} {x}", GROUP, f"{series}: {x:,}", kind, work, series, axis, x, count=count)

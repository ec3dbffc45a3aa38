"""Cases between a program and its service besides plain calls: JSON, host functions, call parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.bench.cases.calls import human
from tests.bench.model import Case, Work
from tests.bench.modules import echo, looping
from tests.bench.shapes import SHAPES
from tests.support.engines import guests

GROUP = "JSON and host functions"
SIZES = (10, 2**16)
CALLS = 200
PARAMETERS = "call parameters"
"""The shape of a call that hands on its call parameters."""

_TITLES = {"record": "record of 3 fields", "records": "array of 1,000 records"}


def host_side() -> Iterator[Case]:
    """JSON in and out, then calls out of a guest."""
    for shape, size in (("string", SIZES[0]), *(("bytes", size) for size in SIZES), ("record", 7), ("records", 1000)):
        value = SHAPES[shape].value(size)
        named = shape if shape.startswith("record") else f"{shape} {size}"
        title = _TITLES.get(shape, f"{shape}, {human(size)}")
        work = Work({"echo": echo(SHAPES[shape])}, "echo", (value,), None, shape)
        yield Case(f"json {named}", GROUP, f"{title} as JSON, there and back", "json", work)
    text = SHAPES["string"].value(10)
    loop = Work({"caller": looping(SHAPES["string"], "host")}, "many", (CALLS, text), CALLS, "string", CALLS)
    yield Case("host function", GROUP, "a guest calls a host function, string to string", "host", loop)
    work = Work(guests("call_parameters"), "call_parameters", (), None, PARAMETERS)
    yield Case("call parameters", GROUP, "`get_call_parameters`, handed on to the caller", "host", work)


def document(work: Work) -> str:
    """The arguments of a case as compact JSON: byte arrays are lists of numbers, records lists of fields."""
    return json.dumps(work.arguments, default=list, separators=(",", ":"), ensure_ascii=False)

"""Values of Python programs through every engine: single calls, batches and results of host functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from marine_runtime import ArgumentError, HostFunction, Service
from tests.bench.modules import echo, looping
from tests.bench.shapes import SHAPES
from tests.support.engines import normalised


class Person(NamedTuple):
    score: float
    name: str
    age: int


class Place(NamedTuple):
    name: str
    height: int
    score: float


ACCEPTED = {
    "scalar": [(np.uint8(3), 3), (np.array(3), 3)],
    "string": [(np.str_("x"), "x")],
    "bytes": [
        (np.arange(6, dtype=np.uint8)[::2], b"\0\2\4"),
        (memoryview(b"abcd")[::2], b"ac"),
        ([np.uint8(3)], b"\3"),
    ],
    "u64s": [(np.array([1, 2], ">u8"), [1, 2]), (np.array([1, 2], np.int8), [1, 2])],
    "record": [(Person(0.5, "a", 7), (7, "a", 0.5)), ({"age": np.uint8(7), "name": "a", "score": 1}, (7, "a", 1))],
    "records": [([Person(0.5, "a", 7)], [(7, "a", 0.5)])],
}
REFUSED = {
    "scalar": [(np.True_, "expected u32, got numpy.bool")],
    "bytes": [(bytes(2**32), "expected []u8, got 4294967296 elements (at most 4294967295)")],
    "u64s": [(range(2**29), "expected []u64, got 536870912 elements (at most 536870911)")],
    "record": [(Place("a", 7, 0.5), "Person has no field `height`")],
}


@pytest.mark.parametrize("shape", ACCEPTED)
def test_accepted(shape: str, serve: Callable[..., Service]) -> None:
    service = serve({"echo": echo(SHAPES[shape])})
    for value, expected in ACCEPTED[shape]:
        assert normalised(service.call("echo", "echo", [value])) == expected
        assert normalised(service.call_batch("echo", "echo", [[value]])[0]) == expected


@pytest.mark.parametrize("shape", REFUSED)
def test_refused(shape: str, serve: Callable[..., Service]) -> None:
    service = serve({"echo": echo(SHAPES[shape])})
    for value, message in REFUSED[shape]:
        with pytest.raises(ArgumentError) as caught:
            service.call("echo", "echo", [value])
        assert str(caught.value) == f"$.value: {message}"
        (error,) = service.call_batch("echo", "echo", [[value]])
        assert type(error) is ArgumentError
        assert str(error) == str(caught.value)


@pytest.mark.parametrize("shape", ["bytes", "u64s"])
def test_results_of_host_functions(shape: str, serve: Callable[..., Service]) -> None:
    given: list[Any] = [value for value, _ in ACCEPTED[shape]]
    signature = SHAPES[shape].signature
    host = HostFunction(lambda _: given.pop(), signature)
    service = serve({"caller": looping(SHAPES[shape], "host")}, host_functions={"echo": host})
    assert service.call("caller", "many", [len(given), SHAPES[shape].value(1)]) > 0
    assert not given


def test_json_follows_a_module_that_is_replaced(serve: Callable[..., Service]) -> None:
    """Converters are kept per function, and a function may go and come back with another type."""
    string, number = ({"echo": echo(SHAPES[shape])} for shape in ("string", "scalar"))
    assert serve(string).call_json("echo", "echo", '["a"]') == '"a"'
    service = serve(number)
    assert [service.call_json("echo", "echo", "[7]") for _ in range(2)] == ["7", "7"]
    with pytest.raises(ArgumentError, match="expected u32, got string"):
        service.call_json("echo", "echo", '["a"]')
    service.unload_module("echo")
    with pytest.raises(ArgumentError, match="there is no module `echo`"):
        service.call_json("echo", "echo", "[7]")

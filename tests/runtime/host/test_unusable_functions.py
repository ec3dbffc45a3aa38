"""Host functions that no call could use are refused when they are given."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from marine_gen import load
from marine_runtime import ArgumentError, HostFunction, PythonModule, ServiceHost, host_function
from marine_runtime.types import Prim


async def waits(text: str) -> str:
    return text


def yields(text: str) -> Iterator[str]:
    yield text


async def streams(text: str) -> AsyncIterator[str]:
    yield text


class Waiting:
    async def __call__(self, text: str) -> str:
        return text


WAYS: list[Callable[[Any], Any]] = [
    host_function,
    HostFunction.from_callable,
    lambda function: HostFunction.of(function, [Prim.STRING], Prim.STRING),
    lambda function: PythonModule("m", {"f": function}),
    lambda function: ServiceHost().function(name="f")(function),
    lambda function: ServiceHost().function(name="f", params=[Prim.STRING], result=Prim.STRING)(function),
    lambda function: load("tests/guests/greeting.wasm", host_functions={"f": function}),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (waits, "is `async def`, but a guest waits for its result: write `def`"),
        (Waiting(), "is `async def`"),
        (functools.partial(waits), "is `async def`"),
        (yields, "has a `yield`: return the result"),
        (streams, "has a `yield`: return the result"),
    ],
)
def test_functions_that_return_before_they_ran(way: Callable[[Any], Any], function: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        way(function)


def test_functions_of_other_arguments() -> None:
    def two(a: int, b: int) -> int:
        return a + b

    with pytest.raises(ArgumentError, match="`two` will be called with 1 argument: missing a required argument: 'b'"):
        HostFunction.of(two, [Prim.S32], Prim.S32)
    with pytest.raises(ArgumentError, match="`two` will be called with 3 arguments: too many positional arguments"):
        HostFunction.of(two, [Prim.S32] * 3, Prim.S32)
    with pytest.raises(ArgumentError, match="a host function must be a function, not int"):
        HostFunction.of(7, [Prim.S32])  # type: ignore[arg-type]
    assert HostFunction.of(two, [Prim.S32] * 2, Prim.S32)(1, 2) == 3
    assert HostFunction.of(max, [Prim.S32] * 2, Prim.S32)(1, 2) == 2  # builtins do not tell

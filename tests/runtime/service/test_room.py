"""Types that nest deeply, loaded and called by a caller that leaves 200 frames of Python's stack."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import pytest

import marine_gen
from marine_gen.artifact import ENGINES, component
from marine_gen.artifact.target import Source
from marine_gen.component_backend import component_options
from marine_gen.idl import parse_description
from marine_runtime import ArgumentError, MarineError, ResultError
from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType, describe, equivalent
from tests.support.echo import Memory, echo_module
from tests.support.samples import sampled

T = TypeVar("T")
TAKE_LOG = "    fn take_log() -> string\n"


def with_frames(left: int, work: Callable[[], T]) -> T:
    """`work`, with that many frames left."""
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back

    def down(levels: int) -> T:
        return work() if levels <= 0 else down(levels - 1)

    return down(sys.getrecursionlimit() - depth - left - 2)


def arrays(levels: int) -> bytes:
    ty = "[]" * levels + "u32"
    return echo_module(parse_description(f"export:\n    fn f(r: {ty}) -> {ty}\n{TAKE_LOG}"), Memory(pages=4))


def records(levels: int) -> bytes:
    lines = ["data R0:\n    x: u32\n"]
    lines += [f"data R{level}:\n    x: R{level - 1}\n" for level in range(1, levels)]
    last = f"R{levels - 1}"
    return echo_module(
        parse_description("".join(lines) + f"export:\n    fn f(r: {last}) -> {last}\n{TAKE_LOG}"), Memory(pages=4)
    )


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_compiling_needs_no_room_of_the_caller(engine: str) -> None:
    module = arrays(60)
    value: object = 1
    for _ in range(60):
        value = [value]
    with with_frames(200, lambda: marine_gen.load({"m": module}, engine=engine, cache=False)) as service:
        assert with_frames(200, lambda: service.call("m", "f", [value])) == value


def test_what_is_fused_does_not_depend_on_the_caller() -> None:
    source, options = Source("m", {"m": records(60)}), component_options()
    assert with_frames(200, lambda: component(source, options)).wasm == component(source, options).wasm


@pytest.mark.parametrize("engine", sampled(ENGINES, "fused".__eq__))
@pytest.mark.parametrize("make", sampled([arrays, records], lambda make: make is records))
def test_what_needs_more_is_named(engine: str, make: Callable[[int], bytes]) -> None:
    """It is an error of ours, and it says what to change."""
    module = make(128)

    def use() -> None:
        with marine_gen.load({"m": module}, engine=engine) as service:
            service.call("m", "f", [1])

    with pytest.raises(MarineError, match=r"nested too deeply.* see `sys\.setrecursionlimit`") as caught:
        with_frames(200, use)
    assert isinstance(caught.value, (ArgumentError, ResultError))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", [arrays, records])
def test_values_as_deep_as_documented_raise_no_recursion_error(engine: str, make: Callable[[int], bytes]) -> None:
    """With the caller's 200 frames a call says what it needs; with Python's own thousand it runs."""
    value: object = 1
    for _ in range(128):
        value = [value] if make is arrays else {"x": value}
    with marine_gen.load({"m": make(128)}, engine=engine) as service:
        with pytest.raises(MarineError, match="nested"):
            with_frames(200, lambda: service.call("m", "f", [value]))
        found = with_frames(800, lambda: service.call("m", "f", [value]))
    for _ in range(128):
        found = found[0] if make is arrays else found.x
    assert found == 1


def test_types_of_any_depth_are_compared_and_shown() -> None:
    left: IType = Prim.U8
    for _ in range(5000):
        left = Array(left)
    assert describe(left, {}) == "[]" * 5000 + "u8"
    assert str(left) == "array (" * 5000 + "u8" + ")" * 5000
    chain = {number: RecordType("R", (Field("x", Record(number + 1)),)) for number in range(5000)}
    chain[5000] = RecordType("R", (Field("x", Prim.U8),))
    assert equivalent(Record(0), chain, Record(0), chain)
    assert not equivalent(Record(0), chain, Record(1), chain)

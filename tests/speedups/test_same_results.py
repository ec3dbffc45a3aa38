"""Every function of every guest, in C and by its generated entry: the same values, the same errors."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import marine_gen
from marine_gen.generate import Description, Vector
from marine_runtime import Service
from marine_runtime.types import Array, Prim
from tests.guests.descriptions import GUESTS
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import guest, outcome
from tests.support.values import SCALARS, edge_values, values


class Text(str):
    """A string that is not exactly one."""


class Number(int):
    """An integer that is not exactly one."""


class Awkward:
    """An object whose conversions fail."""

    def __index__(self) -> int:
        raise ZeroDivisionError

    def __len__(self) -> int:
        raise ZeroDivisionError


ODD = [
    *(None, True, False, 0, -1, 1, 255, 256, -129, 2**31, -(2**31) - 1, 2**32, 2**63, -(2**63) - 1, 2**64, 10**40),
    *(0.0, -0.0, 1.5, math.nan, math.inf, 1e300, Number(5), np.int64(5), np.float32(1.5), np.bool_(True), 1j),
    *("", "a", "é", "\0", "日本語", "\ud800", "x\udfff", Text("text"), "x" * 65_535, "x" * 65_536, "x" * 65_537),
    *("é" * 40_000, "😀" * 20_000, "x" * 300_000, "\ud800" * 70_000),
    *(b"", b"\0\xff", bytearray(b"ab"), memoryview(b"ab"), b"b" * 65_536, b"b" * 65_537, b"b" * 400_000),
    *([1, 2], [256], (), {}, Awkward(), object()),
]
SIGNATURES = [
    *(function(f"f_{ty}".replace("-", "_"), ty) for ty in SCALARS),
    function("f_bytes", Vector(Prim.U8)),
    function("f_none"),
    function("f_two", Prim.STRING, Prim.STRING),
    function("f_mixed", Vector(Prim.U8), Prim.U64, Prim.STRING, Prim.BOOLEAN, Prim.F32, Vector(Prim.U8), Prim.S8),
]


@pytest.fixture(scope="module")
def echo(extension: Any) -> Service:
    return marine_gen.load({"echo": echo_module(Description(functions=tuple(SIGNATURES)), Memory(pages=64))})


def same(extension: Any, run: Callable[..., Any], *args: Any, **named: Any) -> None:
    """Call it both ways, twice, as a large result changes the way of the next call."""
    assert type(run) is extension.Call
    for _ in range(2):
        assert outcome(partial(run, *args, **named)) == outcome(partial(run.__wrapped__, *args, **named)), args


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: str(signature.name))
def test_edges_and_odd_values(extension: Any, echo: Service, signature: Any) -> None:
    run = echo.modules.echo[signature.name]
    usual = [edge_values(item.type) if item.type in SCALARS else [b"", b"\0\xff"] for item in signature.params]
    for args in itertools.islice(itertools.zip_longest(*usual), 12):
        same(extension, run, *(item[0] if arg is None else arg for arg, item in zip(args, usual, strict=True)))
    first = [item[0] for item in usual]
    for position in range(len(first)):
        for value in ODD:
            same(extension, run, *first[:position], value, *first[position + 1 :])
    same(extension, run, *first, 1)
    same(extension, run, *first[:-1])
    same(extension, run, *first, unknown=1)
    same(extension, run, **{item.name: value for item, value in zip(signature.params, first, strict=True)})


@pytest.mark.parametrize("apart", [False, True])
def test_generated_files_of_either_form(extension: Any, monkeypatch: pytest.MonkeyPatch, apart: bool) -> None:
    """Definitions of large ones are pieces, made when they are called; a large result is foreseen."""
    monkeypatch.setattr("marine_runtime.adapters.taking_apart.is_large", lambda source: apart)
    module = echo_module(Description(functions=(function("f", Prim.STRING),)), Memory(pages=16))
    with marine_gen.load({"m": module}, cache=False) as service:
        run = service.modules.m.f
        assert ("__call_f" in run.__globals__) is apart
        same(extension, run, "x")
        same(extension, run, "é" * 40_000)  # few characters, but more than 64 KiB
        staged = run.__globals__["__call_f"] if apart else inspect.getclosurevars(run.__wrapped__).nonlocals["__call_f"]
        variables = staged.__globals__ if apart else inspect.getclosurevars(staged).nonlocals
        assert variables["__large_f"] is False  # since the last one has not so many characters
        run("é" * 40_000)
        variables = staged.__globals__ if apart else inspect.getclosurevars(staged).nonlocals
        assert variables["__large_f"] is True


WILD = st.one_of(
    *(st.integers(), st.integers(-(2**66), 2**66), st.floats(), st.floats(width=32), st.booleans(), st.none()),
    *(st.text(st.characters(exclude_categories=())), st.binary(), st.binary().map(bytearray), st.text().map(Text)),
    *(st.integers(-300, 300).map(Number), st.lists(st.integers(-1, 300), max_size=5), st.sampled_from(ODD)),
)
"""Anything, also what a function does not take."""


@given(st.data())
def test_any_values(extension: Any, echo: Service, data: st.DataObject) -> None:
    signature = data.draw(st.sampled_from(SIGNATURES))
    args = [data.draw(values(item.type, {})) for item in signature.params]
    same(extension, echo.modules.echo[signature.name], *args)


@given(st.data())
def test_any_arguments(extension: Any, echo: Service, data: st.DataObject) -> None:
    """Each one right or wrong, too few or too many, some by keyword."""
    signature = data.draw(st.sampled_from(SIGNATURES))
    args = [data.draw(st.one_of(values(item.type, {}), WILD)) for item in signature.params]
    args = args[: data.draw(st.integers(0, len(args) + 1))] + data.draw(st.lists(WILD, max_size=1))
    names = [*(item.name for item in signature.params), "unknown"]
    named = data.draw(st.dictionaries(st.sampled_from(names), WILD, max_size=1))
    same(extension, echo.modules.echo[signature.name], *args, **named)


def _plain(ty: Any) -> bool:
    return ty in SCALARS or ty in (Prim.BYTE_ARRAY, Prim.I32, Prim.I64, Array(Prim.U8))


@pytest.mark.parametrize("name", sorted(item.name for item in GUESTS))
def test_every_function_of_plain_values_is_in_c(extension: Any, name: str) -> None:
    """And gives what its entry gives; guests that can't be loaded alone are loaded by others."""
    try:
        service = marine_gen.load({name: guest(name)})
    except marine_gen.MarineError:
        return
    with service:
        for function_name, signature in service.interface.modules[name].functions.items():
            run = service.modules[name][function_name]
            types = [*(item.type for item in signature.params), *signature.results]
            assert (type(run) is extension.Call) == (all(map(_plain, types)) and len(signature.results) < 2)


EDGES = ["narrow_results", "any_result", "any_allocation", "invalid_utf8", "failing"]


@pytest.mark.parametrize("name", EDGES)
def test_hostile_guests(extension: Any, name: str) -> None:
    """Results of calls depend on what was called before, so each way has a service of its own."""
    services = [marine_gen.load({name: guest(name)}) for _ in range(2)]
    seen: list[list[Any]] = [[], []]
    for index, service in enumerate(services):
        for function_name, signature in service.interface.modules[name].functions.items():
            run = service.modules[name][function_name]
            if index and type(run) is extension.Call:
                run = run.__wrapped__
            for numbers in ((0, 1), (2**31, 2**31 - 1), (65_530, 10), (2**32 - 1, 2**32 - 1)):
                choices = {Prim.STRING: "text", Prim.BOOLEAN: True, Prim.F32: 1.5, Prim.F64: 1.5}
                args = [choices.get(item.type, number) for item, number in zip(signature.params, numbers, strict=False)]
                seen[index].append((function_name, outcome(partial(run, *args)), str(service.state)))
        service.close()
    assert seen[0] == seen[1]
    assert any(item[1].error for item in seen[0])

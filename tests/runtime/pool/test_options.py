"""Call parameters and fuel of the calls of a pool: each call has its own, whichever way it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import marine_gen
from marine_runtime import ArgumentError, CallParameters, ParticleParameters
from marine_runtime.errors import FuelLimitError
from marine_runtime.pool import ServicePool
from tests.support import pools
from tests.support.engines import HOST_SIDE, guests
from tests.support.pools import KINDS
from tests.support.samples import sampled

ENOUGH = 10_000_000
FUNCTION = ("call_parameters", "call_parameters")


def parameters(name: str) -> CallParameters:
    """Call parameters that can be told from others."""
    return CallParameters(ParticleParameters(name, signature=b"\0\xff"), service_id=name)


def seen(result: Any) -> tuple[str, str]:
    """The part of them that the guest saw."""
    return result.particle.id, result.service_id


@pytest.fixture(
    scope="module",
    params=sampled([(c, kind) for c in HOST_SIDE for kind in KINDS], lambda item: item[0] == HOST_SIDE[0]),
    ids="{0[0]}-{0[1]}".format,
)
def made(request: pytest.FixtureRequest) -> Iterator[ServicePool]:
    """A pool of one worker, whose copies have fuel."""
    configuration, kind = request.param
    load = partial(
        marine_gen.load,
        guests("call_parameters", "greeting"),
        engine=configuration.engine,
        call_layer=configuration.call_layer,
    )
    with ServicePool(load, workers=1, kind=kind, options={"fuel": ENOUGH}) as pool:
        yield pool


def test_each_call_has_its_call_parameters(made: ServicePool) -> None:
    assert seen(made.call(*FUNCTION, call_parameters=parameters("call"))) == ("call", "call")
    assert seen(made.submit(*FUNCTION, call_parameters=parameters("submit")).result()) == ("submit", "submit")
    result = asyncio.run(pools.call_async(made, *FUNCTION, call_parameters=parameters("async")))
    assert seen(result) == ("async", "async")
    for limit in ({}, {"timeout": 20.0}):
        rows = made.map(*FUNCTION, [[], [], []], call_parameters=parameters("map"), **limit)
        assert list(map(seen, rows)) == [("map", "map")] * 3
    assert seen(made.call(*FUNCTION)) == ("", "")


def test_wrong_call_parameters_are_refused_before_they_wait(made: ServicePool) -> None:
    wrong: Any = {"service_id": "x"}
    with pytest.raises(ArgumentError, match=r"^call_parameters must be CallParameters, not dict$"):
        made.submit(*FUNCTION, call_parameters=wrong)
    with pytest.raises(ArgumentError, match="timestamp"):
        made.map(*FUNCTION, [[]], call_parameters=CallParameters(ParticleParameters(timestamp=-1)))


def test_each_call_has_its_fuel(made: ServicePool) -> None:
    replaced = made.statistics.replaced
    assert made.call("greeting", "greeting", ["John"], fuel=ENOUGH) == "Hi, John"
    with pytest.raises(FuelLimitError):
        made.call("greeting", "greeting", ["John"], fuel=1)
    assert made.statistics.replaced == replaced + 1
    rows = made.map("greeting", "greeting", [["John"], ["Jane"]], fuel=1)
    assert [type(item) for item in rows] == [FuelLimitError] * 2
    assert made.map("greeting", "greeting", [["John"], ["Jane"]], fuel=ENOUGH) == ["Hi, John", "Hi, Jane"]


def test_wrong_fuel_is_refused_before_it_waits(made: ServicePool) -> None:
    with pytest.raises(ArgumentError, match=r"^fuel must be a positive integer below 2\^64, not 0$"):
        made.submit("greeting", "greeting", ["John"], fuel=0)

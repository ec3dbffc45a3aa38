"""Pools: results and errors as without one, in one set of record classes, in order."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import marine_gen
from marine_runtime.errors import ArgumentError, CallError, Site, TrapError
from marine_runtime.pool import (
    CallTimeoutError,
    ServicePool,
)
from tests.support import pools
from tests.support.engines import HOST_SIDE, Configuration, failure, load, outcome
from tests.support.pools import KINDS, LONG, pool
from tests.support.samples import sampled


@pytest.fixture(
    scope="module",
    params=sampled([(c, kind) for c in HOST_SIDE for kind in KINDS], lambda item: item[0] == HOST_SIDE[0]),
    ids="{0[0]}-{0[1]}".format,
)
def shared(request: pytest.FixtureRequest) -> Iterator[tuple[Configuration, ServicePool]]:
    """A pool of two workers for tests that leave it as it was."""
    configuration, kind = request.param
    with pool(configuration, kind, workers=2) as made:
        yield configuration, made


CALLS = [
    ("greeting", "greeting", ["Zoë"]),
    ("greeting", "greeting", {"name": "Jane"}),
    ("greeting_record", "greeting_record", []),
    ("greeting_record", "void_fn", []),
    ("lab", "echo", [2**32 - 1]),
    ("third", "f", ["x"]),
    ("lab", "trap", [1]),
]


def test_calls_give_what_a_service_gives(shared: tuple[Configuration, ServicePool]) -> None:
    configuration, made = shared
    with load(pools.lab(), configuration.engine, configuration.call_layer, pools.host_functions()) as service:
        expected = [outcome(partial(service.call, *call)) for call in CALLS]
        assert str(made.interface) == str(service.interface)
    assert [bool(item.error) for item in expected] == [False] * 5 + [True] * 2
    assert [outcome(partial(made.call, *call)) for call in CALLS] == expected
    assert [outcome(made.submit(*call).result) for call in CALLS] == expected

    async def together() -> list[object]:
        return await asyncio.gather(*(pools.call_async(made, *call) for call in CALLS), return_exceptions=True)

    for item, wanted in zip(asyncio.run(together()), expected, strict=True):
        assert (failure(item) if isinstance(item, BaseException) else outcome(lambda item=item: item)) == wanted


def test_errors_come_with_their_attributes(shared: tuple[Configuration, ServicePool]) -> None:
    _, made = shared
    with pytest.raises(TrapError) as caught:
        made.call("third", "f", ["x"])
    assert isinstance(caught.value.site, Site)
    chain = caught.value
    modules = []
    while isinstance(chain, CallError):
        assert chain.site is not None
        modules.append((chain.site.module, chain.site.side))
        chain = chain.__cause__
    assert modules[0] == ("third", "export")
    assert modules[-1] == ("first", "export")


def test_records_of_all_copies_are_of_one_class(shared: tuple[Configuration, ServicePool]) -> None:
    _, made = shared
    cls = made.records["greeting_record"]["GreetingRecord"]
    found = [item.result() for item in [made.submit("greeting_record", "greeting_record") for _ in range(20)]]
    assert all(type(item) is cls for item in found)
    assert dataclasses.astuple(found[0]) == ("Hello, world!", 42)
    assert len(set(found)) == 1


@pytest.mark.parametrize("chunk", [None, 1, 7, 10**6])
def test_map_keeps_the_order_and_the_failures(shared: tuple[Configuration, ServicePool], chunk: int | None) -> None:
    _, made = shared
    rows = [[1, 2] if number == 50 else [None] if number == 60 else [number] for number in range(100)]
    found = made.map("lab", "echo", iter(rows), chunk=chunk)
    good = [item for item in range(100) if item not in (50, 60)]
    assert [found[item] for item in good] == good
    assert [str(found[50]), str(found[60])] == [
        "`lab.echo` takes 1 argument, got 2",
        "$.p0: expected u32, got None",
    ]
    assert made.map("lab", "echo", []) == []
    traps = made.map("lab", "trap", [[1]] * 3, timeout=LONG)
    assert [type(item) for item in traps] == [TrapError] * 3


def test_bad_arguments_are_refused_before_they_wait(shared: tuple[Configuration, ServicePool]) -> None:
    _, made = shared
    for call, text in (
        (("nope", "f"), "there is no module `nope`; available: `lab`, "),
        (("lab", "nope"), "there is no function `nope` in module `lab`; available: `nap`, "),
        (("lab", "echo", []), "`lab.echo` takes 1 argument, got 0"),
        (("lab", "echo", ["x"]), "$.p0: expected u32, got str"),
    ):
        for way in (made.call, made.submit, lambda *call: asyncio.run(pools.call_async(made, *call))):
            with pytest.raises(ArgumentError) as caught:
                way(*call)
            assert str(caught.value).startswith(text)
    for timeout in (0, -1, "1", float("nan"), float("inf"), True):
        with pytest.raises(ArgumentError, match=r"^timeout must be a positive number of seconds, not "):
            made.call("lab", "echo", [1], timeout=timeout)  # type: ignore[arg-type]
    assert made.call("lab", "echo", [1]) == 1


def test_a_built_directory_with_its_host_functions(kind: str, tmp_path: Path) -> None:
    marine_gen.build(pools.lab(), tmp_path / "service")
    functions = pools.host_functions()
    options = {"engine": "closures"}
    with ServicePool(tmp_path / "service", workers=1, kind=kind, host_functions=functions, options=options) as made:
        assert made.call("lab", "nap", [1]) == 1


def test_errors_can_be_pickled() -> None:
    error = CallError("it failed", path="$.x")
    error.site = Site("m", "f", "export", 3, "call-core 1")
    for item in (error, TrapError("trapped"), ArgumentError("bad", "$.a"), CallTimeoutError("late")):
        back = pickle.loads(pickle.dumps(item))
        assert (type(back), str(back), vars(back)) == (type(item), str(item), vars(item))

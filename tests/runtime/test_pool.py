"""Pools: results and errors as without one, time limits, deaths, back-pressure, asyncio, closing."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import marine_gen
from marine_gen import HostFunction
from marine_runtime.errors import ArgumentError, CallError, LoadError, Site, StateError, TrapError
from marine_runtime.pool import (
    CallTimeoutError,
    PoolClosedError,
    PoolError,
    PoolFullError,
    ServicePool,
    WorkerDiedError,
)
from marine_runtime.types import Prim
from tests.support import pools
from tests.support.engines import CONFIGURATIONS, Configuration, failure, load, outcome
from tests.support.pools import KINDS, pool

ANY_ENGINE = CONFIGURATIONS[0]
SHORT, LONG = 0.3, 20.0


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of workers."""
    chosen: str = request.param
    return chosen


@pytest.fixture(
    scope="module", params=[(c, kind) for c in CONFIGURATIONS for kind in KINDS], ids="{0[0]}-{0[1]}".format
)
def shared(request: pytest.FixtureRequest) -> Iterator[tuple[Configuration, ServicePool]]:
    """A pool of two workers for tests that leave it as it was."""
    configuration, kind = request.param
    with pool(configuration, kind, workers=2) as made:
        yield configuration, made


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    limit = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.005)


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
    with load(pools.lab(), configuration.engine, configuration.backend, pools.host_functions()) as service:
        expected = [outcome(partial(service.call, *call)) for call in CALLS]
        assert str(made.interface) == str(service.interface)
    assert [bool(item.error) for item in expected] == [False] * 5 + [True] * 2
    assert [outcome(partial(made.call, *call)) for call in CALLS] == expected
    assert [outcome(made.submit(*call).result) for call in CALLS] == expected

    async def together() -> list[object]:
        return await asyncio.gather(*(made.call_async(*call) for call in CALLS), return_exceptions=True)

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
        (("nope", "f"), "there is no module `nope`; there is: `lab`, "),
        (("lab", "nope"), "there is no function `nope` in module `lab`; there is: `nap`, "),
        (("lab", "echo", []), "`lab.echo` takes 1 argument, got 0"),
        (("lab", "echo", ["x"]), "$.p0: expected u32, got str"),
    ):
        for way in (made.call, made.submit, lambda *call: asyncio.run(made.call_async(*call))):
            with pytest.raises(ArgumentError) as caught:
                way(*call)
            assert str(caught.value).startswith(text)
    for timeout in (0, -1, "1", float("nan"), float("inf"), True):
        with pytest.raises(ArgumentError, match=r"^timeout must be a positive number of seconds, got "):
            made.call("lab", "echo", [1], timeout=timeout)  # type: ignore[arg-type]
    assert made.call("lab", "echo", [1]) == 1


def test_a_cut_off_copy_is_replaced(configuration: Configuration, kind: str) -> None:
    with pool(configuration, kind) as made:
        assert [made.call("lab", "count", [0]) for _ in range(3)] == [1, 2, 3]
        with pytest.raises(ArgumentError):
            made.call("lab", "count", ["x"])
        assert made.call("lab", "count", [0]) == 4
        with pytest.raises(TrapError):
            made.call("lab", "trap", [0])
        assert made.call("lab", "count", [0]) == 1
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # `match` would see its notes too
            made.call("lab", "blow", [0])
        assert str(caught.value) == "blown"
        assert isinstance(caught.value.__cause__, KeyError)
        assert made.call("lab", "count", [0]) == 1
        assert (made.statistics.replaced, made.statistics.restarted) == (2, 0)


def test_a_cut_off_copy_is_kept_on_request(kind: str) -> None:
    with pool(ANY_ENGINE, kind, replace_poisoned=False) as made:
        for _ in range(2):
            with pytest.raises(TrapError):
                made.call("lab", "trap", [0])
        assert made.call("lab", "count", [0]) == 3


def test_a_call_that_does_not_end_is_given_up(configuration: Configuration) -> None:
    """Where the engine stops calls itself, it does so first, with an error of its own."""
    with pool(configuration, "processes") as made:
        with pytest.raises((CallTimeoutError, CallError)) as caught:
            made.call("endless", "spin", timeout=SHORT)
        assert isinstance(caught.value, CallError) or str(caught.value) == (
            "`endless.spin` ran longer than 0.3 s; its worker process was killed"
        )
        assert made.call("lab", "echo", [5], timeout=LONG) == 5


def test_a_host_function_that_does_not_end_is_given_up(configuration: Configuration, kind: str) -> None:
    """No engine can stop it. The thread ends when its call does."""
    with pool(configuration, kind, timeout=SHORT, name="given-up") as made:
        with pytest.raises(CallTimeoutError) as caught:
            made.call("lab", "nap", [1500])
        assert isinstance(caught.value, TimeoutError)
        assert str(caught.value).startswith("`lab.nap` ran longer than 0.3 s; its worker ")
        assert made.call("lab", "echo", [5], timeout=LONG) == 5
        given_up = made.statistics.abandoned if kind == "threads" else made.statistics.restarted
        assert given_up == 1
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("given-up-")])


def test_time_in_the_queue_does_not_count(kind: str) -> None:
    with pool(ANY_ENGINE, kind, timeout=1.5) as made:
        assert [item.result() for item in [made.submit("lab", "nap", [400]) for _ in range(5)]] == [400] * 5


def test_a_process_that_dies_fails_its_call_and_is_replaced(configuration: Configuration) -> None:
    with pool(configuration, "processes") as made:
        future = made.submit("lab", "die", [0])
        behind = made.submit("lab", "echo", [7])
        with pytest.raises(
            WorkerDiedError, match=r"^worker process \d+ was killed by signal 9 while it ran `lab.die`$"
        ):
            future.result(LONG)
        assert behind.result(LONG) == 7
        assert made.statistics.restarted == 1


def test_a_process_that_died_while_idle_costs_no_call() -> None:
    with pool(ANY_ENGINE, "processes") as made:
        worker = made._crew.workers[0]
        process = worker._process
        os.kill(worker.pid, signal.SIGKILL)
        process.join(LONG)
        assert made.call("lab", "echo", [7]) == 7
        assert made.statistics.restarted == 1


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [
        (0, ValueError, "blown"),
        (1, PoolError, "tests.support.pools.StubbornError: can't be pickled"),
        (2, RuntimeError, "a host function raised StopIteration"),
        (3, SystemExit, "leave"),
    ],
)
def test_errors_of_host_functions_cross(number: int, error: type[BaseException], text: str) -> None:
    with pool(ANY_ENGINE, "processes") as made:
        with pytest.raises(error) as caught:
            made.call("lab", "blow", [number])
        assert str(caught.value) == text
        if number < 2:
            assert "in blow" in "".join(caught.value.__notes__)
        assert made.call("lab", "echo", [1]) == 1


def test_the_queue_is_bounded(kind: str) -> None:
    with pool(ANY_ENGINE, kind, queue=2) as made:
        running = made.submit("lab", "nap", [400])
        until(running.running)
        waiting = [made.submit("lab", "echo", [number], wait=0) for number in range(2)]
        with pytest.raises(PoolFullError, match=r"^2 calls wait already, more than that are not kept$"):
            made.submit("lab", "echo", [3], wait=0)
        with pytest.raises(PoolFullError):
            made.submit("lab", "echo", [3], wait=0.01)
        assert waiting[1].cancel()
        assert made.call("lab", "echo", [4]) == 4  # waits for room
        assert waiting[0].result() == 0


def test_await_waits_for_room_and_leaves_the_loop_alone(kind: str) -> None:
    async def main(made: ServicePool) -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticker = asyncio.create_task(tick())
        calls = [asyncio.create_task(made.call_async("lab", "nap", [200])) for _ in range(2)]
        more = [asyncio.create_task(made.call_async("lab", "echo", [number])) for number in range(50)]
        await asyncio.sleep(0)
        more[10].cancel()  # some of those that wait for room go away
        more[49].cancel()
        assert await calls[0] == 200
        assert ticks >= 40, "the loop stood still"  # 200 on an idle machine
        assert await calls[1] == 200
        found = await asyncio.gather(*more, return_exceptions=True)
        assert [item for item in found if not isinstance(item, asyncio.CancelledError)] == [
            number for number in range(50) if number not in (10, 49)
        ]
        ticker.cancel()

    with pool(ANY_ENGINE, kind, queue=3) as made:
        asyncio.run(asyncio.wait_for(main(made), LONG))


def test_async_with_closes_beside_the_loop(kind: str) -> None:
    async def main() -> ServicePool:
        async with await asyncio.to_thread(pool, ANY_ENGINE, kind) as made:
            assert await made.call_async("lab", "echo", [1]) == 1
        return made

    made = asyncio.run(main())
    assert made.closed


def test_a_closed_pool_refuses_calls(kind: str) -> None:
    made = pool(ANY_ENGINE, kind, workers=2)
    last = [made.submit("lab", "nap", [50]) for _ in range(6)]
    made.close()
    made.close()
    assert [item.result(0) for item in last] == [50] * 6, "what was taken is done"
    assert made.closed
    assert repr(made) == "<ServicePool pool: closed>"
    for way in (made.call, made.submit, lambda *call: asyncio.run(made.call_async(*call))):
        with pytest.raises(StateError, match=r"^the pool is closed$"):
            way("lab", "echo", [1])
    with pytest.raises(PoolClosedError):
        made.map("lab", "echo", [[1]])


def test_an_error_in_the_block_does_not_wait_for_calls(kind: str) -> None:
    start = time.monotonic()
    futures = []
    with pytest.raises(KeyboardInterrupt), pool(ANY_ENGINE, kind) as made:  # noqa: PT012
        futures += [made.submit("lab", "nap", [8000]) for _ in range(3)]
        until(futures[0].running)
        raise KeyboardInterrupt
    assert time.monotonic() - start < 7.5
    for future in futures:
        with pytest.raises(PoolClosedError, match=r"^the pool was closed before the call ended$"):
            future.result(0)


def test_closing_wakes_who_waits_for_room(kind: str) -> None:
    made = pool(ANY_ENGINE, kind, queue=1)
    futures = [made.submit("lab", "nap", [3000])]
    until(futures[0].running)
    futures.append(made.submit("lab", "echo", [1]))
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            made.submit("lab", "echo", [2])
        except PoolClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    made.close(timeout=0.05)
    thread.join(LONG)
    assert errors
    assert [type(item.exception(0)) for item in futures] == [PoolClosedError] * 2


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("no/such/directory", LoadError, "`no/such/directory` has no manifest.json"),
        (pools.fails, LoadError, "nothing to load"),
    ],
)
def test_a_pool_that_cannot_load_says_why(kind: str, source: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        ServicePool(source, workers=2, kind=kind)  # type: ignore[arg-type]
    assert str(caught.value).startswith(text)


def test_a_process_that_dies_at_the_start_says_so() -> None:
    with pytest.raises(WorkerDiedError, match=r"ended with exit code 3 while it was started"):
        ServicePool(pools.dies, workers=1)


def test_a_pool_without_workers_fails_what_waits(kind: str, tmp_path: Path) -> None:
    (tmp_path / "1").touch()
    source = partial(pools.once, str(tmp_path))
    with ServicePool(source, workers=1, kind=kind, host_functions=pools.host_functions) as made:
        futures = [made.submit("lab", "trap", [1])] + [made.submit("lab", "echo", [1]) for _ in range(3)]
        with pytest.raises(TrapError):
            futures[0].result(LONG)
        for future in futures[1:]:
            with pytest.raises(PoolError, match=r"^the pool has no worker left: no more copies$"):
                future.result(LONG)
        with pytest.raises(PoolError, match=r"^the pool has no worker left: no more copies$"):
            made.call("lab", "echo", [1])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"workers": 0}, "workers must be a number of at least 1, got 0"),
        ({"queue": 1.5}, "queue must be a number of at least 1, got 1.5"),
        ({"kind": "fibres"}, "unknown kind of workers `fibres`: choose processes, threads"),
        ({"timeout": 0}, "timeout must be a positive number of seconds, got 0"),
        ({"host_functions": {"f": HostFunction.of(lambda: None)}}, "source, host functions and options can't be sent"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        ServicePool("build", **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(text)


def test_a_built_directory_with_its_host_functions(kind: str, tmp_path: Path) -> None:
    marine_gen.build(pools.lab(), tmp_path / "service")
    functions = {item.__name__: HostFunction.of(item, [Prim.U32]) for item in (pools.nap, pools.die, pools.blow)}
    options = {"engine": "closures"}
    with ServicePool(tmp_path / "service", workers=1, kind=kind, host_functions=functions, options=options) as made:
        assert made.call("lab", "nap", [1]) == 1


def test_errors_can_be_pickled() -> None:
    error = CallError("it failed", path="$.x")
    error.site = Site("m", "f", "export", 3, "call-core 1")
    for item in (error, TrapError("trapped"), ArgumentError("bad", "$.a"), CallTimeoutError("late")):
        back = pickle.loads(pickle.dumps(item))
        assert (type(back), str(back), vars(back)) == (type(item), str(item), vars(item))

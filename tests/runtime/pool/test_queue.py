"""Pools: the bounded queue, asyncio, what can't be loaded, closing."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from marine_gen import HostFunction
from marine_runtime.errors import ArgumentError, LoadError, StateError, TrapError
from marine_runtime.pool import (
    PoolClosedError,
    PoolError,
    PoolFullError,
    ServicePool,
    WorkerDiedError,
)
from tests.support import pools
from tests.support.pools import ANY_ENGINE, GATE, KINDS, LONG, pool, until
from tests.support.samples import sampled


def test_the_queue_is_bounded(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GATE, str(tmp_path / "open"))
    with pool(ANY_ENGINE, kind, queue=2) as made:
        running = made.submit("lab", "hold", [0])
        until(running.running)
        waiting = [made.submit("lab", "echo", [number], wait=0) for number in range(2)]
        with pytest.raises(PoolFullError, match=r"^the queue is full: 2 calls are waiting$"):
            made.submit("lab", "echo", [3], wait=0)
        with pytest.raises(PoolFullError):
            made.submit("lab", "echo", [3], wait=0.01)
        assert waiting[1].cancel()
        (tmp_path / "open").touch()
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
        calls = [asyncio.create_task(pools.call_async(made, "lab", "nap", [200])) for _ in range(2)]
        more = [asyncio.create_task(pools.call_async(made, "lab", "echo", [number])) for number in range(50)]
        await asyncio.sleep(0)
        more[10].cancel()  # some of those that wait for room go away
        more[49].cancel()
        assert await calls[0] == 200
        assert ticks, "the loop stood still"  # 200 on an idle machine, one on a busy one
        assert await calls[1] == 200
        found = await asyncio.gather(*more, return_exceptions=True)
        assert [item for item in found if not isinstance(item, asyncio.CancelledError)] == [
            number for number in range(50) if number not in (10, 49)
        ]
        ticker.cancel()

    with pool(ANY_ENGINE, kind, queue=3) as made:
        asyncio.run(asyncio.wait_for(main(made), LONG))


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_a_closed_pool_refuses_calls(kind: str) -> None:
    made = pool(ANY_ENGINE, kind, workers=2)
    last = [made.submit("lab", "nap", [50]) for _ in range(6)]
    made.close()
    made.close()
    assert [item.result(0) for item in last] == [50] * 6, "what was taken is done"
    assert made.closed
    assert repr(made) == "<ServicePool pool: closed>"
    for way in (made.call, made.submit, lambda *call: asyncio.run(pools.call_async(made, *call))):
        with pytest.raises(StateError, match=r"^the pool is closed$"):
            way("lab", "echo", [1])
    with pytest.raises(PoolClosedError):
        made.map("lab", "echo", [[1]])


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_an_error_in_the_block_does_not_wait_for_calls(kind: str) -> None:
    futures = []
    with pytest.raises(KeyboardInterrupt), pool(ANY_ENGINE, kind) as made:  # noqa: PT012
        futures += [made.submit("lab", "nap", [8000]) for _ in range(3)]
        until(futures[0].running)
        start = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - start < 7.5
    for future in futures:
        with pytest.raises(PoolClosedError, match=r"^the pool was closed before the call ended$"):
            future.result(0)


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
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
@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
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
        ({"workers": 0}, "workers must be an integer of at least 1, not 0"),
        ({"queue": 1.5}, "queue must be an integer of at least 1, not 1.5"),
        ({"kind": "fibres"}, "unknown kind of workers `fibres`: choose processes, threads"),
        ({"timeout": 0}, "timeout must be a positive number of seconds, not 0"),
        ({"host_functions": {"f": HostFunction.of(lambda: None)}}, "source, host functions and options can't be sent"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        ServicePool("build", **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(text)

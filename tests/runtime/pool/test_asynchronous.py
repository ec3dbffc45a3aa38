"""`AsyncServicePool`: loading, calls and closing, none of which may block the event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from marine_runtime.errors import ArgumentError, StateError, TrapError
from marine_runtime.pool import AsyncServicePool, CallTimeoutError
from tests.support.engines import Configuration
from tests.support.pools import ANY_ENGINE, LONG, SHORT, factory, fails, host_functions, slow, until

pytestmark = pytest.mark.pool_side


def asynchronous(configuration: Configuration, kind: str, **options: Any) -> AsyncServicePool:
    """A pool over `lab`, to be entered."""
    options.setdefault("workers", 1)
    return AsyncServicePool(factory(configuration), kind=kind, host_functions=host_functions, **options)


@asynccontextmanager
async def ticking() -> AsyncIterator[list[int]]:
    """Counts, in its one item, how often a task of 1 ms came to its turn."""
    ticks = [0]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)
            ticks[0] += 1

    task = asyncio.create_task(tick())
    yield ticks
    task.cancel()


def test_every_way_to_call(configuration: Configuration, kind: str) -> None:
    async def main() -> None:
        async with asynchronous(configuration, kind, workers=2) as pool:
            assert await pool.call("greeting", "greeting", ["Zoë"]) == "Hi, Zoë"
            assert await pool.call("greeting", "greeting", {"name": "Jane"}) == "Hi, Jane"
            assert await pool.modules.greeting.greeting("John") == "Hi, John"
            assert await pool.modules["greeting"]["greeting"](name="Ann") == "Hi, Ann"
            numbers = await asyncio.gather(*(pool.modules.lab.echo(number) for number in range(20)))
            assert numbers == list(range(20))
            assert await pool.map("lab", "echo", [[number] for number in range(20)]) == numbers
            with pytest.raises(TrapError):
                await pool.call("lab", "trap", [0])
            with pytest.raises(ArgumentError):
                await pool.modules.lab.echo("x")
            with pytest.raises(CallTimeoutError):
                await pool.call("endless", "spin", timeout=SHORT)
            assert pool.pool.statistics.lost == 0
        assert pool.pool.closed
        with pytest.raises(StateError, match=r"^the pool was already entered: make another one$"):
            await pool.__aenter__()

    asyncio.run(asyncio.wait_for(main(), 3 * LONG))


def test_the_loop_goes_on(kind: str) -> None:
    """While the copies are loaded, while a call is in flight, and while the pool waits for it to end."""

    async def main() -> None:
        async with ticking() as ticks:
            async with AsyncServicePool(slow, kind=kind, workers=1, host_functions=host_functions) as pool:
                assert ticks[0] >= 5, "loading stopped the loop"
                ticks[0] = 0
                assert await pool.call("lab", "nap", [200]) == 200
                assert ticks[0] >= 5, "the call stopped the loop"  # 200 on an idle machine
                last = asyncio.create_task(pool.call("lab", "nap", [200]))
                await asyncio.sleep(0.02)
                ticks[0] = 0
            assert ticks[0] >= 5, "closing stopped the loop"
            assert await last == 200

    asyncio.run(asyncio.wait_for(main(), LONG))


def test_functions_look_like_what_they_are() -> None:
    async def main() -> None:
        async with asynchronous(ANY_ENGINE, "threads") as pool:
            greeting = pool.modules.greeting.greeting
            assert inspect.iscoroutinefunction(greeting)
            assert (greeting.__name__, greeting.__doc__) == ("greeting", "greeting(name: string) -> string")
            assert repr(pool) == "<AsyncServicePool of <ServicePool pool: 1 threads, 0 calls wait>>"

    asyncio.run(main())


def test_a_pool_that_was_not_entered() -> None:
    pool = asynchronous(ANY_ENGINE, "threads")
    assert repr(pool) == "<AsyncServicePool: not open yet>"
    with pytest.raises(StateError, match=r"^the pool is not open yet: use `async with`$"):
        asyncio.run(pool.call("lab", "echo", [1]))


def test_what_loading_raises_is_raised_on_entering(kind: str) -> None:
    async def main() -> None:
        async with AsyncServicePool(fails, kind=kind, workers=1):
            raise AssertionError("it was loaded")

    with pytest.raises(Exception, match="nothing to load"):
        asyncio.run(main())


def test_a_pool_that_nobody_waits_for_is_closed() -> None:
    loading, go = threading.Event(), threading.Event()

    def held(**options: Any) -> Any:
        loading.set()
        assert go.wait(LONG)
        return factory(ANY_ENGINE)(**options)

    async def main() -> None:
        pool = AsyncServicePool(held, kind="threads", workers=2, host_functions=host_functions, name="dropped")
        task = asyncio.create_task(pool.__aenter__())
        await asyncio.to_thread(loading.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()

    asyncio.run(main())
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("dropped-")])

"""Calls from asyncio: an event loop waits for room in the queue and for results, and is never blocked by either."""

from __future__ import annotations

import asyncio

from marine_runtime.lazy.typing import Any
from marine_runtime.pool.errors import PoolFullError
from marine_runtime.pool.job import Job
from marine_runtime.pool.queue import Jobs


async def result_of(jobs: Jobs, job: Job) -> Any:
    """Queue a job and wait for its result."""
    while True:
        try:
            jobs.put(job, 0)
            break
        except PoolFullError:
            await _room(jobs)
    return await asyncio.wrap_future(job.future)


async def _room(jobs: Jobs) -> None:
    """Wait until the queue may have room."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def arrive() -> None:
        if waiter.done():
            jobs.pass_on()
        else:
            waiter.set_result(None)

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(arrive)
        except RuntimeError:  # the loop is closed
            jobs.pass_on()

    jobs.when_room(wake)
    try:
        await waiter
    except asyncio.CancelledError:
        if not waiter.cancelled():  # it was this one's turn
            jobs.pass_on()
        raise

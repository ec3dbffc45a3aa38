"""Copies of one service over threads or processes, for calls in parallel and from asyncio.

from marine_runtime.pool import ServicePool
with ServicePool("build/curl_service", workers=4) as pool:
    pool.call("facade", "get_n_save", [url, name])

`pool` is what users see, `asynchronous` the same for asyncio, `functions` what the `modules` of a pool are made of.
`jobs` is the queue, `event_loop` how asyncio waits for it, `surface` checks arguments and publishes results in the
caller's process, `settings` checks what a pool is given. `copies` loads and runs one copy, `threads` and `processes`
are the two kinds of workers, `child` is the program of a worker process, and `transport` takes errors across. Nothing
here is imported by a program without a pool.
"""

from marine_runtime.errors import CallTimeoutError
from marine_runtime.pool.asynchronous import AsyncServicePool
from marine_runtime.pool.errors import PoolClosedError, PoolError, PoolFullError, WorkerDiedError
from marine_runtime.pool.pool import ServicePool
from marine_runtime.pool.worker import PoolStatistics

__all__ = [
    "AsyncServicePool",
    "CallTimeoutError",
    "PoolClosedError",
    "PoolError",
    "PoolFullError",
    "PoolStatistics",
    "ServicePool",
    "WorkerDiedError",
]

"""Copies of one service over threads or processes, for calls in parallel and from asyncio.

from marine_runtime.pool import ServicePool
with ServicePool("build/curl_service", workers=4) as pool:
    pool.call("facade", "get_n_save", [url, name])

`pool` is what users see, `asynchronous` the same for asyncio, `functions` what the `modules` of a pool are made of.
`queue` is the queue, `event_loop` how asyncio waits for it, `marshal` checks arguments and publishes results in the
caller's process, `options` checks what a pool and a call are given. `instance` loads and runs one copy, `worker` is the
base of the two kinds of workers, `threads` and `processes`, `child` is the program of a worker process, and `wire`
takes errors across. Nothing here is imported by a program without a pool.
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

"""Copies of one service over threads or processes, for calls in parallel and from asyncio.

from marine_runtime.pool import ServicePool
with ServicePool("build/curl_service", workers=4) as pool:
    pool.call("facade", "get_n_save", [url, name])

`pool` is what users see, `functions` what its `modules` are made of. `jobs` is the queue, `surface` checks arguments
and publishes results in the caller's process, `copies` loads and runs one copy, `threads` and `processes` are the two
kinds of workers, `child` is the program of a worker process, and `transport` takes errors across. Nothing here is
imported by a program without a pool.
"""

from marine_runtime.errors import CallTimeoutError
from marine_runtime.pool.errors import PoolClosedError, PoolError, PoolFullError, WorkerDiedError
from marine_runtime.pool.pool import ServicePool
from marine_runtime.pool.workers import Statistics

__all__ = [
    "CallTimeoutError",
    "PoolClosedError",
    "PoolError",
    "PoolFullError",
    "ServicePool",
    "Statistics",
    "WorkerDiedError",
]

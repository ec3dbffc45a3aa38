"""Instances of one service over threads or processes, for calls in parallel and from asyncio.

    from marine_runtime.pool import ServicePool

    with ServicePool("build/curl_service", workers=4) as pool:
        pool.call("facade", "get_n_save", [url, name])

`pool` and `asynchronous` are the public classes, `base` their common part, `options` checks their arguments,
`functions` are the members of `pool.modules`. `marshal` converts arguments and results in the caller's process, `job`
is a call with its future, `queue` has the jobs that wait, `event_loop` waits for it on asyncio. A `worker` runs them:
`threads` and `processes` are the two kinds, `instance` loads and runs one service. Jobs go to a process as a `message`:
`child` is its program, `progress` says which calls it has begun, `wire` takes messages and errors across. Each name is
imported at its first use: a program without a pool imports nothing of this, and worker processes need few of these
files.
"""

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.errors import CallTimeoutError
    from marine_runtime.pool.asynchronous import AsyncPool, AsyncServicePool
    from marine_runtime.pool.base import BasePool
    from marine_runtime.pool.errors import PoolClosedError, PoolError, PoolFullError, WorkerDiedError
    from marine_runtime.pool.marshal import FunctionMarshaller, ServiceMarshaller
    from marine_runtime.pool.pool import ServicePool
    from marine_runtime.pool.worker import PoolStatistics

__all__ = [
    "AsyncPool",
    "AsyncServicePool",
    "BasePool",
    "CallTimeoutError",
    "FunctionMarshaller",
    "PoolClosedError",
    "PoolError",
    "PoolFullError",
    "PoolStatistics",
    "ServiceMarshaller",
    "ServicePool",
    "WorkerDiedError",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.pool.asynchronous": ("AsyncPool", "AsyncServicePool"),
        "marine_runtime.pool.base": ("BasePool",),
        "marine_runtime.pool.errors": (
            *("CallTimeoutError", "PoolClosedError", "PoolError", "PoolFullError", "WorkerDiedError"),
        ),
        "marine_runtime.pool.marshal": ("FunctionMarshaller", "ServiceMarshaller"),
        "marine_runtime.pool.pool": ("ServicePool",),
        "marine_runtime.pool.worker": ("PoolStatistics",),
    },
)

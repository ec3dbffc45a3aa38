"""Errors of a pool itself. Calls raise those of `Service.call`.

The timeout is one of the latter: whether Wasmtime or the pool stops a call that takes too long, it is a
`CallTimeoutError`.
"""

from __future__ import annotations

from marine_runtime.errors import MarineError, StateError


class PoolError(MarineError):
    """A pool could not run a call, or could not be started."""


class PoolClosedError(PoolError, StateError):
    """The pool is closed, or was closed before the call could end."""


class PoolFullError(PoolError):
    """The queue has no room, and the caller did not want to wait for it."""


class WorkerDiedError(PoolError):
    """The process that ran a call ended, by a crash or a signal; it was replaced."""

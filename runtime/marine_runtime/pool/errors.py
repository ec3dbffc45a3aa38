"""Errors of a pool itself. Calls raise those of `Service.call`.

The timeout is one of the latter: whether Wasmtime or the pool stops a call that takes too long, it is a
`CallTimeoutError`.
"""

from __future__ import annotations

from marine_runtime.errors import CallTimeoutError, MarineError, StateError

__all__ = ["CallTimeoutError", "PoolClosedError", "PoolError", "PoolFullError", "WorkerDiedError"]


class PoolError(MarineError):
    """A pool could not run a call, or could not be started."""


class PoolClosedError(PoolError, StateError):
    """The pool is closed, or was closed before the call could end."""


class PoolFullError(PoolError):
    """The queue is full, and the caller did not wait for room."""


class WorkerDiedError(PoolError):
    """The process or the actor that ran a call ended, by a crash or a signal; it was replaced.

    Attributes:
        begun: True when the call had begun, False when it had not, None when that is not known.
    """

    begun: bool | None = False

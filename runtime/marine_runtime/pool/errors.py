"""What can go wrong with a pool itself. Errors of the calls are those of `Service.call`.

So is the one about time: whoever stops a call that takes too long, the engine or the pool, it is a `CallTimeoutError`.
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

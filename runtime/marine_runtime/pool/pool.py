"""`ServicePool`: instances of one service that run calls in parallel, over `threads` or `processes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from marine_runtime.calls.options import refuse_unknown, with_keywords
from marine_runtime.lazy.typing import Unpack
from marine_runtime.pool.base import BasePool
from marine_runtime.pool.options import PoolOptions
from marine_runtime.pool.plan import PoolPlan
from marine_runtime.pool.processes import ProcessWorker
from marine_runtime.pool.queue import Jobs
from marine_runtime.pool.threads import CallWatchdog, ThreadWorker
from marine_runtime.pool.worker import Worker, Workers
from marine_runtime.service.service import Service


class ServicePool(BasePool):
    """Instances of one service that run calls in parallel. Use it as a context manager, or `close()` it.

    Every call runs on some instance; instances share nothing, so state that a guest keeps between calls belongs to one
    instance. A pool may be used from any thread; `AsyncServicePool` is the one for asyncio. Functions are attributes as
    those of a service are: `pool.modules.facade.get_n_save(url, name)` is a `call`. A pool that is dropped without
    being closed ends its workers, fails the calls that have not ended, and gives a `ResourceWarning`.

    Args:
        source: a directory that `marine-gen build` wrote, or a function that returns a new service, such as
            `functools.partial(marine_gen.load, "Config.toml")`; for processes, one that can be pickled.
        options: `workers`, `kind`, `host_functions`, `timeout` and others; see `PoolOptions`.

    Raises:
        LoadError and others, as loading does: the first instance that could not be loaded.
        ArgumentError: an argument is out of range, or can't be sent to a worker process.
        PoolError: the workers did not start.
    """

    @with_keywords(PoolOptions)
    def __init__(self, source: str | Path | Callable[..., Service], **options: Unpack[PoolOptions]) -> None:
        refuse_unknown("ServicePool", options, PoolOptions)
        plan = PoolPlan.of(source, options)
        super().__init__(
            plan.kind, Workers(plan.name, plan.setup, Jobs(plan.queue), plan.payload, plan.start), plan.timeout
        )
        self._watchdog = CallWatchdog()
        self._workers.at_end.append(self._watchdog.stop)
        self._start(self._worker, plan.workers)

    def _worker(self, number: int) -> Worker:
        if self.kind == "threads":
            return ThreadWorker(self._workers, number, self._watchdog)
        return ProcessWorker(self._workers, number)

"""`ServicePool`: instances of one service that run calls in parallel, over `threads` or `processes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from marine_runtime.calls.options import refuse_unknown, with_keywords
from marine_runtime.config.checks import check_boolean, check_mapping, check_path, check_seconds
from marine_runtime.errors import ArgumentError
from marine_runtime.pool.base import BasePool
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.options import MOST_WORKERS, PoolOptions, number, pickled, pool_name, processors, seconds
from marine_runtime.pool.processes import ProcessWorker
from marine_runtime.pool.queue import Jobs
from marine_runtime.pool.threads import CallWatchdog, ThreadWorker
from marine_runtime.pool.worker import Worker, Workers
from marine_runtime.service.service import Service


class ServicePool(BasePool):
    """Instances of one service that run calls in parallel. Use it as a context manager, or `close()` it.

    Every call runs on some instance; instances share nothing, so state that a guest keeps between calls is that of one
    instance.
    A pool may be used from any thread; `AsyncServicePool` is the one for asyncio. Functions are attributes as those of
    a service are: `pool.modules.facade.get_n_save(url, name)` is a `call`. A pool that is dropped without being closed
    ends its workers, fails the calls that have not ended, and gives a `ResourceWarning`.

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
        kind, workers = options.get("kind", "processes"), options.get("workers")
        if kind not in ("processes", "threads"):
            raise ArgumentError(f"unknown kind of workers `{kind}`: choose processes, threads")
        count = number("workers", processors() if workers is None else workers, MOST_WORKERS)
        jobs = Jobs(number("queue", options.get("queue", 1024)))
        timeout = seconds("timeout", options.get("timeout"))
        replace = check_boolean(options.get("replace_poisoned", True), "`replace_poisoned`")
        further = check_mapping(options.get("options") or {}, "`options`")
        place = source if callable(source) else str(check_path(source, "the source of a pool"))
        setup = Setup(place, options.get("host_functions"), dict(further), replace)
        payload = pickled(setup) if kind == "processes" else b""
        start = check_seconds(options.get("start_timeout", 60.0), "start_timeout")
        super().__init__(kind, Workers(pool_name(options.get("name", "pool")), setup, jobs, payload, start), timeout)
        self._watchdog = CallWatchdog()
        self._workers.at_end.append(self._watchdog.stop)
        self._start(self._worker, count)

    def _worker(self, number: int) -> Worker:
        if self.kind == "threads":
            return ThreadWorker(self._workers, number, self._watchdog)
        return ProcessWorker(self._workers, number)

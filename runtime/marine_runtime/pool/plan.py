"""`PoolPlan`: the arguments of a `ServicePool`, checked before any worker starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marine_runtime.config.checks import check_boolean, check_mapping, check_path, check_seconds
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Self
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.options import (
    MOST_WORKERS,
    Kind,
    PoolOptions,
    functions_source,
    number,
    pickled,
    pool_name,
    processors,
    seconds,
)
from marine_runtime.service.service import Service


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool that can be started.

    Attributes:
        kind: the kind of its workers.
        workers: the number of its workers.
        queue: calls that may wait for a worker.
        timeout: seconds that a call may run, unless it says otherwise.
        start: seconds that loading an instance may take.
        name: the name of the pool.
        setup: the source and the options of an instance.
        payload: the pickled setup, for worker processes.
    """

    kind: Kind
    workers: int
    queue: int
    timeout: float | None
    start: float
    name: str
    setup: Setup
    payload: bytes

    @classmethod
    def of(cls, source: str | Path | Callable[..., Service], options: PoolOptions) -> Self:
        """The plan for the arguments of a pool, whose keywords are known.

        Raises:
            ArgumentError: one is out of range, or can't be sent to a worker process.
        """
        kind, workers = options.get("kind", "processes"), options.get("workers")
        if kind not in ("processes", "threads"):
            raise ArgumentError(f"unknown kind of workers `{kind}`: choose processes, threads")
        count = number("workers", processors() if workers is None else workers, MOST_WORKERS)
        queue = number("queue", options.get("queue", 1024))
        timeout = seconds("timeout", options.get("timeout"))
        replace = check_boolean(options.get("replace_poisoned", True), "`replace_poisoned`")
        further = check_mapping(options.get("options") or {}, "`options`")
        place = source if callable(source) else str(check_path(source, "the source of a pool"))
        setup = Setup(place, functions_source(options.get("host_functions")), dict(further), replace)
        payload = pickled(setup) if kind == "processes" else b""
        start = check_seconds(options.get("start_timeout", 60.0), "start_timeout")
        return cls(kind, count, queue, timeout, start, pool_name(options.get("name", "pool")), setup, payload)

"""Options of a pool on Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from marine_runtime.pool.instance import HostFunctionsSource

Restart = Literal["never", "fresh"]


class RayPoolOptions(TypedDict, total=False):
    """Settings of a pool on Ray.

    Attributes:
        workers: the number of actors; by default as many as the processors of the cluster have room for.
        num_cpus: processors that each actor reserves; 1 by default, fractions and 0 are allowed.
        resources: further resources that each actor reserves, as Ray names them.
        host_functions: as `ServicePool` takes them for processes: ones that can be pickled, or a function of a module
            that the nodes have, which makes them.
        timeout: seconds that a call may run, unless the call says otherwise; waiting in the queue does not count.
        queue: the number of calls that may wait for a worker; 1024 by default.
        options: further keyword arguments for `load`.
        replace_poisoned: load an instance again after a trap, a limit that was reached, or a Python exception in a host
            function; true by default. Services of `RayServicePool.service` keep their instance.
        start_timeout: seconds that starting an actor may take, waiting for room in the cluster included; 60 by default.
        name: the name of the pool in messages and of its threads.
    """

    workers: int | None
    num_cpus: float
    resources: Mapping[str, float] | None
    host_functions: HostFunctionsSource | None
    timeout: float | None
    queue: int
    options: Mapping[str, Any] | None
    replace_poisoned: bool
    start_timeout: float
    name: str

"""`RayServicePool`: instances of one service on the nodes of a Ray cluster."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from threading import Lock

import ray

from marine_runtime.calls.options import refuse_unknown, with_keywords
from marine_runtime.config.checks import check_boolean, check_mapping, check_path
from marine_runtime.errors import ArgumentError, StateError
from marine_runtime.lazy.typing import Any, Unpack
from marine_runtime.pool.base import BasePool
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.options import functions_source, number, pickled, pool_name, seconds
from marine_runtime.pool.queue import Jobs
from marine_runtime.pool.worker import Workers
from marine_runtime.ray.artifact import pack
from marine_runtime.ray.connection import current_job
from marine_runtime.ray.options import RayPoolOptions, Restart
from marine_runtime.ray.sticky import RayService, Sticky, actor_name, end_service, gone, service_ids
from marine_runtime.ray.worker import ActorInfo, ActorSource, RayWorker, actors_of

_MOST = 1e6
"""More processors, or units of another resource, than any node has."""

_LOCKS = 64
"""Services that may be started at once by different threads, at least nearly: each id has one of these locks."""


class RayServicePool(BasePool):
    """Instances of one service, each an actor of a Ray cluster, with the interface of `ServicePool`.

    `ray.init` comes before. Use it as a context manager, or `close()` it. For asyncio there is
    `marine_runtime.pool.AsyncPool(RayServicePool, "build/service", workers=8)`.

    Args:
        directory: a directory that `marine-gen build` wrote, best with `--portable`; it is sent to the nodes.
        options: `workers`, `num_cpus`, `host_functions`, `timeout` and others; see `RayPoolOptions`.

    Raises:
        LoadError and others, as loading does: the first instance that could not be loaded.
        ArgumentError: an argument is out of range, or can't be sent to an actor.
        StateError: Ray is not connected to a cluster.
        PoolError: the actors did not start.
    """

    @with_keywords(RayPoolOptions)
    def __init__(self, directory: str | Path, **options: Unpack[RayPoolOptions]) -> None:
        refuse_unknown("RayServicePool", options, RayPoolOptions)
        if (job := current_job()) is None:
            raise StateError('Ray is not connected to a cluster: call `ray.init("auto")`, or `ray.init()` to start one')
        cpus = _cpus(options.get("num_cpus", 1))
        workers = options.get("workers")
        count = number("workers", _room(cpus) if workers is None else workers)
        jobs = Jobs(number("queue", options.get("queue", 1024)))
        timeout = seconds("timeout", options.get("timeout"))
        start = seconds("start_timeout", options.get("start_timeout", 60.0))
        assert start is not None
        given = dict(check_mapping(options.get("options") or {}, "`options`"))
        replaced = check_boolean(options.get("replace_poisoned", True), "`replace_poisoned`")
        setup = Setup("", functions_source(options.get("host_functions")), given, replaced)
        name = pool_name(options.get("name", "pool"))
        resources = _resources(cpus, options.get("resources"))
        artifact, archive = pack(check_path(directory, "the directory of a pool"))
        self._setup = setup
        self._source = ActorSource(artifact, [ray.put(archive)], pickled(setup), resources, job)
        self._services: dict[str, RayService] = {}
        self._asked = [Lock() for _ in range(_LOCKS)]
        super().__init__("actors", Workers(name, setup, jobs, b"", start), timeout)
        self._start(self._worker, count)

    def _worker(self, number: int) -> RayWorker:
        return RayWorker(self._workers, number, self._source)

    def actors(self) -> list[ActorInfo]:
        """Process id and node of each actor of the pool.

        Raises:
            PoolError: one does not answer.
        """
        return actors_of(self._workers)

    def service(
        self,
        identity: str,
        *,
        detached: bool = False,
        restart: Restart = "never",
        time_to_live: float | None = None,
        num_cpus: float = 0,
    ) -> RayService:
        """The service of this id, which keeps its state from call to call: one actor of the cluster for all programs.

        Args:
            identity: any text; ids of different builds have nothing to do with each other.
            detached: whether it outlives this program, until `close_service` or the end of its time.
            restart: the reaction when its state is gone, as its actor or node died or its time ended: `never` raises,
                `fresh` begins with a new instance.
            time_to_live: seconds without a call after which it ends; None for no limit.
            num_cpus: processors that its actor reserves; none by default, as most services are idle most of the time.
                This, `detached` and `time_to_live` are settled when it is begun.

        Raises:
            ArgumentError: an argument is out of range. WorkerDiedError: its state is gone.
            Others: as for the pool.
        """
        if self.closed:
            raise StateError("the pool is closed")
        actor_name(self._source.artifact, identity)  # refuses what is not an id
        sticky = Sticky(identity, detached, restart, seconds("time_to_live", time_to_live))
        source = replace(self._source, resources={**self._source.resources, "num_cpus": _cpus(num_cpus)})
        with self._asked[hash(identity) % _LOCKS]:
            found = self._services.get(identity)
            if found is not None and not found.closed:
                if restart == "fresh":
                    found.refresh()
                elif not found.alive:
                    raise gone(identity)
                if found.alive:
                    return found
                found.let_go()
            start = self._workers.start_timeout
            made = RayService(sticky, source, self._setup, self._timeout, start, self._forget)
            self._services[identity] = made
            return made

    def _forget(self, service: RayService) -> None:
        """Note that a service was closed."""
        if self._services.get(service.identity) is service:
            self._services.pop(service.identity, None)

    def services(self) -> list[str]:
        """The ids of all services of this build that are there, in order."""
        self._source.check_connected()
        return service_ids(self._source.artifact)

    def close_service(self, identity: str) -> bool:
        """End the service of this id, also a detached one or one whose state is gone; False when there is none."""
        self._source.check_connected()
        actor_name(self._source.artifact, identity)
        found = self._services.pop(identity, None)
        if found is not None:
            found.let_go()
        return end_service(self._source.artifact, identity)

    def close(self, timeout: float = 10.0) -> None:
        """As `ServicePool.close`. Services that it has begun end too, unless they are detached."""
        for service in list(self._services.values()):
            service.close(timeout)
        super().close(timeout)


def _cpus(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        raise ArgumentError(f"num_cpus must be a number of at least 0, not {value!r}")
    return value


def _resources(cpus: float, further: Any) -> dict[str, Any]:
    """Options of an actor: what it reserves."""
    amounts = check_mapping(further or {}, "`resources`")
    for name, amount in amounts.items():
        amiss = isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < _MOST
        if amiss or name in ("", "CPU", "GPU"):
            raise ArgumentError(
                "`resources` must be a mapping of Ray's names to numbers, without CPU, which is `num_cpus`, and GPU, "
                f"not {name!r}: {amount!r}"
            )
    return {"num_cpus": cpus, **({"resources": dict(amounts)} if amounts else {})}


def _room(cpus: float) -> int:
    """The actors that the cluster has processors for."""
    total = float(ray.cluster_resources().get("CPU", 1.0))
    return max(1, math.floor(total / cpus) if cpus else math.floor(total))

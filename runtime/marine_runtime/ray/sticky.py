"""Services with a state of their own: one named actor per build and id, one call at a time.

A key-value store of the cluster remembers which ids were begun, so that a state that is gone is not taken for one that
never was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

import ray
from ray.exceptions import RayError
from ray.experimental import internal_kv

from marine_runtime.config.checks import check_boolean
from marine_runtime.errors import ArgumentError
from marine_runtime.pool.base import BasePool
from marine_runtime.pool.errors import PoolClosedError, WorkerDiedError
from marine_runtime.pool.instance import Setup
from marine_runtime.pool.job import Job, Reason
from marine_runtime.pool.options import pickled
from marine_runtime.pool.queue import Jobs
from marine_runtime.pool.worker import Workers
from marine_runtime.ray.actor import VERSION
from marine_runtime.ray.artifact import PackedBuild
from marine_runtime.ray.options import Restart
from marine_runtime.ray.worker import ANSWER, FIRST, ActorInfo, ActorSource, RayWorker, actors_of
from marine_runtime.service.interface import Interface

NAMESPACE = "marine"
"""The namespace of named actors. Nothing else of ours has names."""

LONGEST = 256
"""Bytes of an id, once it is encoded."""

_DETACHED = b"detached"


@dataclass(frozen=True, slots=True)
class Sticky:
    """A service that was asked for; see `RayServicePool.service`.

    Raises:
        ArgumentError: `detached` is not a boolean, or `restart` none of its values.
    """

    identity: str
    detached: bool
    restart: Restart
    time_to_live: float | None

    def __post_init__(self) -> None:
        """Refuse what would mean something else than it says."""
        check_boolean(self.detached, "`detached`")
        if self.restart not in ("never", "fresh"):
            raise ArgumentError(f"unknown restart `{self.restart}`: choose never, fresh")


def actor_name(artifact: PackedBuild, identity: str) -> str:
    """The name of an actor. The id is encoded, so that it can't name an actor of another build or another kind.

    Raises:
        ArgumentError: the id is not a string, empty, or too long.
    """
    if not isinstance(identity, str) or not identity:
        raise ArgumentError(f"the id of a service must be a non-empty string, not {identity!r}")
    try:
        encoded = quote(identity, safe="")
    except UnicodeEncodeError:
        raise ArgumentError("the id of a service must be Unicode text; it has a lone surrogate") from None
    if len(encoded) > LONGEST:
        raise ArgumentError(f"the id of a service must have at most {LONGEST} bytes when encoded, not {len(encoded)}")
    return f"marine/{artifact.key}/{encoded}"


def service_ids(artifact: PackedBuild) -> list[str]:
    """The ids of all services of a build that are there."""
    prefix = f"marine/{artifact.key}/"
    named = (item["name"] for item in ray.util.list_named_actors(all_namespaces=True) if item["namespace"] == NAMESPACE)
    return sorted(unquote(name.removeprefix(prefix)) for name in named if name.startswith(prefix))


def end_service(artifact: PackedBuild, identity: str) -> bool:
    """End a service and forget that it was there; False when it was not."""
    name = actor_name(artifact, identity)
    known = bool(internal_kv._internal_kv_del(name.encode()))
    try:
        ray.kill(ray.get_actor(name, NAMESPACE))
    except ValueError:
        return known
    return True


def gone(identity: str) -> WorkerDiedError:
    """The error of a service whose state is gone."""
    return WorkerDiedError(
        f"the state of service `{identity}` is gone: its actor has ended. `close_service` forgets it, "
        'restart="fresh" begins with a new instance'
    )


class StickyWorker(RayWorker):
    """The thread that talks to the actor of one service.

    Attributes:
        own: whether it has begun the service, which ends with the pool then.
        fresh: whether a state that is gone is replaced by that of a new instance.
    """

    first = (0.0,)  # an actor that had the state is not tried again

    def __init__(self, workers: Workers, source: ActorSource, sticky: Sticky) -> None:
        super().__init__(workers, 0, source)
        self._sticky, self._name = sticky, actor_name(source.artifact, sticky.identity)
        self.fresh = sticky.restart == "fresh"
        self.own = False
        self._hung = False

    def _open(self) -> Interface:
        self.source.check_connected()
        job_id = ray.get_runtime_context().get_job_id().encode()
        try:
            self.actor = ray.get_actor(self._name, NAMESPACE)
        except ValueError:
            # An actor that another program began without detaching it has ended with that program.
            if not self.fresh and internal_kv._internal_kv_get(self._name.encode()) in (_DETACHED, job_id):
                raise gone(self._sticky.identity) from None
            return self._begin(job_id)
        return self._join() or self._start_instance()

    def _join(self) -> Interface | None:
        """The interface of an instance that is there, also while it runs a call; None when the actor has none yet."""
        try:
            told = self.outcome(self.actor.join.remote(VERSION), ANSWER)
        except (RayError, TimeoutError):
            return None  # it is just being started, or has ended, which the next request tells
        return None if told is None else self._started(told)

    def _begin(self, job_id: bytes) -> Interface:
        """Begin the service. An actor that ends before it has an instance is replaced: nobody has had a state of it."""
        self.own = not self._sticky.detached
        options = {"lifetime": "detached"} if self._sticky.detached else {}
        problem: BaseException | None = None
        for pause in FIRST:
            if self._wake.wait(pause):
                break
            internal_kv._internal_kv_put(self._name.encode(), _DETACHED if self._sticky.detached else job_id)
            self.actor = self.source.actor(
                self._sticky.time_to_live, name=self._name, namespace=NAMESPACE, get_if_exists=True, **options
            )
            try:
                return self._start_instance()
            except BaseException as error:
                end_service(self.source.artifact, self._sticky.identity)
                if not isinstance(error, WorkerDiedError):
                    raise
                problem = error
        raise problem or PoolClosedError("the pool is closed")

    def _restart(self) -> bool:
        if self.fresh or self.workers.closing:
            return super()._restart()
        self.workers.lose(self, gone(self._sticky.identity))
        return False

    def _out_of_time(self, job: Job) -> BaseException:
        self._hung = True  # a host function hangs, and nothing else ends it
        return super()._out_of_time(job)

    def stop(self, reason: Reason) -> None:
        """See `Worker`. The actor is not only of this pool, so it goes on."""
        self._wake.set()
        for job in self.running:
            job.fail(reason(job))

    def _kill(self) -> None:
        if self._hung:
            self._hung = False
            super()._kill()

    def _end(self) -> None:
        self.actor = self._watch = self._answer = self._report = None


class RayService(BasePool):
    """A service that keeps its state from call to call; `RayServicePool.service` makes it.

    It has the interface of a pool. Calls run one at a time, also those of other programs that use the same id.
    `close()` ends a service that this program has begun without detaching it, and lets go of others.

    Attributes:
        identity: its id.
    """

    def __init__(
        self,
        sticky: Sticky,
        source: ActorSource,
        setup: Setup,
        timeout: float | None,
        start_timeout: float,
        forget: Callable[[RayService], None],
    ) -> None:
        self._forget = forget
        self.identity, self._built = sticky.identity, source.artifact
        kept = replace(setup, replace_poisoned=False)  # a new instance would have another state
        workers = Workers(f"service-{sticky.identity}", kept, Jobs(1024), b"", start_timeout)
        worker = StickyWorker(workers, replace(source, payload=pickled(kept)), sticky)
        super().__init__("actor", workers, timeout)
        self._worker = worker
        self._start(lambda _: worker, 1)

    def close(self, timeout: float = 10.0) -> None:
        """As `ServicePool.close`; see the class for what becomes of the service."""
        super().close(timeout)
        if self._worker.own and self._worker.source.connected:
            self._worker.own = False
            end_service(self._built, self.identity)
        self._forget(self)

    def let_go(self) -> None:
        """Close it without ending the service."""
        self._worker.own = False
        self.close(timeout=0)

    def actors(self) -> list[ActorInfo]:
        """Its actor, while it is there."""
        return actors_of(self._workers)

    @property
    def alive(self) -> bool:
        """False when its state is known to be gone."""
        return self._workers.statistics.lost == 0 and (self._worker.fresh or not self._worker.ended)

    def refresh(self) -> None:
        """Begin with a new instance when the state is gone."""
        self._worker.fresh = True

"""Workers that are actors: a thread here for each of them, which sends messages and waits for answers.

An actor is never restarted by Ray, nor is a message sent twice. It is never certain what a lost actor had begun. So
calls that were sent are failed, except those that the actor had left, as it answers when a message takes long.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from uuid import uuid4

import ray
from ray.exceptions import RayError

from marine_runtime.lazy.typing import Any
from marine_runtime.pool.errors import PoolError, WorkerDiedError
from marine_runtime.pool.job import Job
from marine_runtime.pool.message import BegunCalls, Message
from marine_runtime.pool.message_worker import BrokenError, MessageWorker
from marine_runtime.pool.wire import Answer, pack_message, unpack_answer, unpack_error
from marine_runtime.pool.worker import GRACE, Workers, closed_too_early
from marine_runtime.ray.actor import GROUPS, VERSION, InstanceActor
from marine_runtime.ray.artifact import PackedBuild
from marine_runtime.ray.connection import DisconnectedError, current_job
from marine_runtime.service.interface import Interface
from marine_runtime.wasm.native import monotonic

ANSWER = 10.0
"""Seconds that an actor may take to say how far it is; one that does not answer is given up."""

SETTLING: tuple[float, ...] = (0.0, 0.2, 1.0, 3.0, 6.0, 10.0)
"""Seconds to wait before each attempt to start an actor: for some seconds Ray starts actors on a node that is gone."""

FIRST: tuple[float, ...] = (0.0, 1.0, 5.0)
"""The same for the first actor of a worker, whose process may as well end because of what it loads."""

_SLICE = 1.0  # seconds after which a thread that waits for an answer looks up


@dataclass(frozen=True, slots=True)
class ActorSource:
    """Everything needed to start an actor.

    Attributes:
        archive: the content of `artifact` in the object store, in a list, so that only actors that need it fetch it.
        payload: the pickled `Setup`.
        resources: the resources that it reserves, as options of the actor.
        job: the id of the program that starts it.
    """

    artifact: PackedBuild
    archive: list[Any]
    payload: bytes
    resources: Mapping[str, Any]
    job: str

    @property
    def connected(self) -> bool:
        """False after `ray.shutdown()`, also when Ray was connected again."""
        return current_job() == self.job

    def check_connected(self) -> None:
        """Refuse to go on without a connection, as almost every function of Ray would then start a new cluster.

        Raises:
            DisconnectedError: there is none.
        """
        if not self.connected:
            raise DisconnectedError

    def actor(self, time_to_live: float | None = None, **options: Any) -> Any:
        """A new actor, or the one that has the name in `options`. Ray starts it when there is room."""
        self.check_connected()
        fixed = {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD", **self.resources, **options}
        return _actor_class().options(**fixed).remote(time_to_live)


@dataclass(frozen=True, slots=True)
class ActorInfo:
    """An actor.

    Attributes:
        pid: the id of its process, on its node.
        node: Ray's id of that node.
    """

    pid: int
    node: str


@cache
def _actor_class() -> Any:
    """The class of all actors: Ray sends it to the cluster once for each time that it is made."""
    return ray.remote(concurrency_groups=GROUPS)(InstanceActor)


def actors_of(workers: Workers) -> list[ActorInfo]:
    """The actors of a pool that are there.

    Raises:
        PoolError: one does not answer.
    """
    actors = [worker for worker in workers.others() if isinstance(worker, RayWorker)]
    try:
        asked = [(worker, answer) for worker in actors if (answer := worker.about()) is not None]
        told = [worker.outcome(answer, ANSWER) for worker, answer in asked]
    except (RayError, TimeoutError) as error:
        raise PoolError(f"an actor does not answer: {_first_line(error)}") from None
    return [ActorInfo(item["pid"], item["node"]) for item in told]


class SentCalls:
    """The calls of a message, as far as its caller knows; see `BegunCalls`."""

    def __init__(self) -> None:
        self._left: set[int] | None = None  # not begun, and not taken back; None while that is not known
        self._ended = False

    def withdraw(self, position: int) -> bool:
        """See `BegunCalls`. Only what the actor has left is known not to have begun."""
        if self._ended:
            return True
        if self._left is None or position not in self._left:
            return False
        self._left.remove(position)
        return True

    def begun(self, position: int) -> bool | None:
        """See `BegunCalls`."""
        if self._ended:
            return False
        return None if self._left is None else position not in self._left

    def leave(self, positions: list[int]) -> None:
        """Note that the actor has left these calls, and has begun all others."""
        if self._left is None:
            self._left = set(positions)

    def end(self) -> None:
        """Note that the calls that were not answered have not begun and never will."""
        self._ended = True


class RayWorker(MessageWorker):
    """An actor with its own instance, and the thread that communicates with it.

    Attributes:
        source: the source of its actors.
        actor: the handle of the actor; None while there is none.
    """

    target, held = 0.03, 0.06
    first, retries = FIRST, SETTLING

    def __init__(self, workers: Workers, number: int, source: ActorSource) -> None:
        super().__init__(workers, number)
        self.source = source
        self.actor: Any = None
        self._watch: Any = None
        self._token = uuid4().hex
        self._record = SentCalls()
        self._answer: Any = None
        self._report: Any = None
        self._age_from: float | None = None

    def _open(self) -> Interface:
        self.actor = self.source.actor()
        return self._start_instance()

    def _start_instance(self) -> Interface:
        source = self.source
        return self._ready(lambda: self.actor.start.remote(VERSION, source.artifact, source.archive, source.payload))

    def _ready(self, ask: Callable[[], Any]) -> Interface:
        """Wait for the actor to have an instance; raises why it has none."""
        limit = self.workers.start_timeout
        self.source.check_connected()
        try:
            told = self.outcome(ask(), limit)
        except TimeoutError:
            wanted = ", ".join(f"{name}={value:g}" for name, value in _flat(self.source.resources))
            text = f"an actor was not ready within {limit:g} s: does the cluster have room for {wanted or 'it'}?"
            raise PoolError(text) from None
        except DisconnectedError:
            raise
        except RayError as error:
            raise WorkerDiedError(f"an actor died while it started: {_first_line(error)}") from None
        return self._started(told)

    def _started(self, told: bytes) -> Interface:
        """The interface of an instance that is there; raises the error that its actor has told in its place."""
        what, content = pickle.loads(told)  # noqa: S301  # from our own actor
        if what != "ready":
            raise unpack_error(content)
        if self._watch is None:
            self._watch = self.actor.watch.remote().future()
        interface: Interface = content
        return interface

    @property
    def ended(self) -> bool:
        """True if the actor is known to have ended."""
        return self._watch is not None and bool(self._watch.done())

    def about(self) -> Any:
        """Ask the actor for `InstanceActor.about`; None when there is no actor."""
        actor = self.actor
        if actor is None:
            return None
        self.source.check_connected()
        return actor.about.remote()

    def outcome(self, asked: Any, limit: float) -> Any:
        """The result of a method of the actor.

        Raises:
            TimeoutError: it takes longer than `limit` seconds. RayError: the actor is gone, or the connection.
        """
        end, future = monotonic() + limit, asked.future()
        while not wait([future], timeout=max(0.0, min(_SLICE, end - monotonic()))).done:
            self.source.check_connected()
            if end <= monotonic():
                raise TimeoutError
        return future.result()

    def _calls(self) -> BegunCalls:
        self._record = SentCalls()
        self._answer = self._report = self._age_from = None
        return self._record

    def _send(self, message: Message) -> None:
        try:
            self.source.check_connected()
            if self.ended:
                self._watch.result()
        except RayError as error:  # before anything was sent
            self._record.end()
            raise BrokenError(self._died(error)) from None
        data = pack_message(message.number, message.jobs)
        try:
            self._answer = self.actor.run.remote((self._token, message.number), data).future()
        except RayError as error:
            raise BrokenError(self._died(error)) from None

    def _receive(self, message: Message, wait_for: float | None) -> Answer | None:
        asked = [item for item in (self._report, self._answer) if item is not None]
        limit = None if wait_for is None else monotonic() + wait_for
        while True:
            left = _SLICE if limit is None else min(_SLICE, limit - monotonic())
            ready = wait(asked, timeout=max(0.0, left), return_when=FIRST_COMPLETED).done
            try:
                if self._answer in ready:
                    answer = unpack_answer(self._answer.result())
                    self._record.end()
                    return answer
                if ready:
                    return self._told(message, self._report.result())
                self.source.check_connected()
            except RayError as error:
                raise BrokenError(self._died(error)) from None
            if self.workers.closing:
                raise BrokenError(closed_too_early)
            if limit is not None and limit <= monotonic():
                return None

    def _hold(self, message: Message) -> None:
        if self._report is None and self.source.connected:
            self._report = self.actor.report.remote((self._token, message.number), len(message.jobs)).future()

    def _told(self, message: Message, told: tuple[bytes, list[int], float | None]) -> Answer:
        """Settle the calls that an actor has done of a message that takes long; those that it left go back."""
        data, left, age = told
        self._report = None
        self._age_from = None if age is None else monotonic() - age
        self._record.leave(left)
        answer = unpack_answer(data)
        message.settle(answer.replies, self._settle)
        message.give_back(self.workers.jobs)
        return answer

    def _begun_at(self) -> float | None:
        return self._age_from

    def _late(self, message: Message, start: float, limit: float) -> bool:
        # Clocks of other machines say nothing here: the actor says for how long its call has run.
        try:
            self.source.check_connected()
            self._report = None
            name = self._token, message.number
            self._told(message, self.outcome(self.actor.report.remote(name, len(message.jobs)), ANSWER))
        except TimeoutError:
            return True
        except RayError as error:
            raise BrokenError(self._died(error)) from None
        age_from = self._age_from
        if age_from is None:  # the call waits in the actor, or has just ended
            self._age_from = monotonic()
            return False
        return age_from + limit + GRACE <= monotonic()

    def _died(self, error: BaseException) -> Callable[[Job], BaseException]:
        if self.workers.closing:
            return closed_too_early
        text = f"the actor of worker {self.number} ended"
        why = _first_line(error)
        return lambda job: WorkerDiedError(f"{text} when {job} had been sent to it: {why}")

    def _replace(self) -> bool:
        try:
            self._ready(lambda: self.actor.replace.remote())
        except BaseException:
            return False  # another actor may have more luck
        return True

    def _release(self) -> None:
        """It is unknown what a lost actor has begun."""

    def _kill(self) -> None:
        actor = self.actor
        if actor is not None and self.source.connected:
            with suppress(Exception):
                ray.kill(actor, no_restart=True)

    def _end(self) -> None:
        self._kill()
        self.actor = self._watch = self._answer = self._report = None


def _flat(resources: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Names and amounts of resources that were asked for."""
    found: list[tuple[str, float]] = []
    for name, value in resources.items():
        found += value.items() if isinstance(value, Mapping) else [(name, value)]
    return [(name, value) for name, value in found if value]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = next((line for line in lines if line.startswith("The actor is dead because")), "")
    return detail.partition(" Worker exit ")[0].removesuffix(".") or (lines or [repr(error)])[0]

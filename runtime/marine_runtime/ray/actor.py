"""The actor: one instance of the service in a process of the cluster, which runs messages.

Ray runs methods of the default group one at a time on one thread, which is the thread of the instance; those of the
group `control` beside them. Nothing is shared with callers but messages, so a caller hears what has begun by `report`.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Lock, Thread

import ray

from marine_runtime.abi.plan import FORMAT
from marine_runtime.errors import LoadError
from marine_runtime.lazy.typing import Any
from marine_runtime.pool.instance import PoolInstance, Setup
from marine_runtime.pool.job import Reply
from marine_runtime.pool.wire import Answer, pack_answer, pack_error, unpack_message
from marine_runtime.ray.artifact import PackedBuild, unpack
from marine_runtime.service.interface import Interface
from marine_runtime.wasm.native import monotonic

VERSION = (2, FORMAT, *sys.version_info[:2])
"""Of what callers and actors say to each other, and of Python; it has to be equal."""

GROUPS = {"control": 2, "watch": 1}
"""Threads of the concurrency groups."""

_REMEMBERED = 1024  # messages that have ended, and that were stopped before they arrived, at most


class MessageState:
    """The message that runs, as two threads see it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._name: tuple[str, int] | None = None
        self._stopped: dict[tuple[str, int], None] = {}
        self._ended: dict[tuple[str, int], list[int]] = {}  # with the calls that were left
        self._replies: list[tuple[int, Reply]] = []
        self._left: list[int] = []
        self._since = 0.0
        self.used = monotonic()

    def start(self, name: tuple[str, int], count: int) -> None:
        """Begin the message `name` of `count` jobs."""
        with self._lock:
            stopped = name in self._stopped
            self._stopped.pop(name, None)
            self._name, self._replies, self._left = name, [], [] if stopped else list(range(count))
            self._since = monotonic()

    def begin(self, position: int) -> bool:
        """Begin a call; False when the message was stopped."""
        with self._lock:
            if not self._left:
                return False
            self._left.remove(position)
            self._since = monotonic()
            return True

    def add(self, position: int, reply: Reply) -> None:
        """Keep the outcome of a job."""
        with self._lock:
            self._replies.append((position, reply))

    def end(self, *, poisoned: bool) -> bytes:
        """The last answer to the message."""
        with self._lock:
            if self._name is not None:
                self._ended[self._name] = self._left
                _forget(self._ended)
            self._name, self.used = None, monotonic()
            replies, self._replies = self._replies, []
            return pack_answer(Answer(replies, poisoned))

    def stop(self, name: tuple[str, int], count: int) -> tuple[bytes, list[int], float | None]:
        """Let no further call of a message begin: outcomes so far, the calls that were left, age of the running one."""
        with self._lock:
            if name in self._ended:  # the caller asks, and the last answer is on its way to it
                return pack_answer(Answer([], last=False)), self._ended[name], None
            if name != self._name:
                self._stopped[name] = None
                _forget(self._stopped)
                return pack_answer(Answer([], last=False)), list(range(count)), None
            left, self._left = self._left, []
            return pack_answer(Answer(self._replies, last=False)), left, monotonic() - self._since

    def idle(self, limit: float) -> bool:
        """True if no message has run for `limit` seconds."""
        with self._lock:
            return self._name is None and monotonic() - self.used > limit


def _forget(messages: dict[tuple[str, int], Any]) -> None:
    """Keep the latest messages only."""
    while len(messages) > _REMEMBERED:
        del messages[next(iter(messages))]


def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())


def _check_version(version: tuple[int, ...]) -> None:
    """Refuse callers with another version; raises LoadError."""
    if version == VERSION:
        return
    if version[:2] == VERSION[:2]:
        mine, other = (".".join(map(str, item[2:])) for item in (VERSION, version))
        raise LoadError(
            f"node {_node()[:8]} runs Python {mine} and the caller Python {other}: all programs of a cluster need the "
            "same one"
        )
    raise LoadError(
        f"node {_node()[:8]} has another version of marine-gen than the caller ({VERSION[:2]} instead of "
        f"{version[:2]}): install the same one on both"
    )


def _told(load: Callable[[], Interface]) -> bytes:
    """The interface of a loaded instance, or the error of loading it, for the caller."""
    message: tuple[str, Any]
    try:
        message = "ready", load()
    except BaseException as error:
        message = "failed", pack_error(error)
    return pickle.dumps(message)


def _setup(payload: bytes) -> Setup:
    """The setup of the caller.

    Raises:
        LoadError: it names something that this node does not have.
    """
    try:
        setup: Setup = pickle.loads(payload)  # noqa: S301  # from the caller, who may run anything here
    except (AttributeError, ImportError) as error:
        raise LoadError(
            f"node {_node()[:8]} can't find the host functions or an option of the pool: {error}. They must be in a "
            "module that is installed on each node, or in its PYTHONPATH; the program itself is not one"
        ) from None
    return setup


class InstanceActor:
    """See the module."""

    def __init__(self, time_to_live: float | None = None) -> None:
        self._instance: PoolInstance | None = None
        self._state = MessageState()
        if time_to_live is not None:
            Thread(target=self._expire, args=(time_to_live,), name="marine-time-to-live", daemon=True).start()

    def start(self, version: tuple[int, ...], artifact: PackedBuild, archive: list[Any], payload: bytes) -> bytes:
        """Load the instance, unless it is there; `("ready", interface)` or `("failed", error)`, pickled."""

        def load() -> Interface:
            _check_version(version)
            if self._instance is None:
                setup = _setup(payload)
                place = unpack(artifact, lambda: ray.get(archive[0]))
                self._instance = PoolInstance(replace(setup, source=place))
                self._state.used = monotonic()
            return self._instance.interface

        return _told(load)

    @ray.method(concurrency_group="control")
    def join(self, version: tuple[int, ...]) -> bytes | None:
        """As `start`, beside a call that runs; None when there is no instance yet."""
        instance = self._instance
        if instance is None:
            return None

        def interface() -> Interface:
            _check_version(version)
            return instance.interface

        return _told(interface)

    def run(self, name: tuple[str, int], data: bytes) -> bytes:
        """Run a message; the last answer."""
        assert self._instance
        _, requests = unpack_message(data)
        self._state.start(name, len(requests))
        poisoned = self._instance.run_message(requests, self._state.begin, self._state.add)
        return self._state.end(poisoned=poisoned)

    def replace(self) -> bytes:
        """Replace a poisoned instance; an answer as that of `start`."""
        assert self._instance
        instance = self._instance
        return _told(lambda: instance.replace().interface)

    @ray.method(concurrency_group="control")
    def report(self, name: tuple[str, int], count: int) -> tuple[bytes, list[int], float | None]:
        """Stop a message; see `MessageState.stop`."""
        return self._state.stop(name, count)

    @ray.method(concurrency_group="control")
    def about(self) -> dict[str, Any]:
        """Process id and node."""
        return {"pid": os.getpid(), "node": _node(), "version": VERSION}

    @ray.method(concurrency_group="watch")
    def watch(self) -> None:
        """Never return; the failure of this call reports the end of the actor."""
        Event().wait()

    def _expire(self, limit: float) -> None:
        pause = Event()
        while self._instance is None or not self._state.idle(limit):
            pause.wait(min(limit / 4, 60.0))
        ray.kill(ray.get_runtime_context().current_actor)

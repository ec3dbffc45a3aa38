"""Instances: copies that keep their state for the clients that know their identifier."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import Any

from marine_gen.serve.backend import Backend
from marine_gen.serve.functions import Function, Functions
from marine_gen.serve.runner import CallRunner
from marine_gen.serve.settings import ServeLimits
from marine_gen.wire.problems import ProblemError

logger = logging.getLogger("marine_gen.serve")


@dataclass(slots=True)
class StickyInstance:
    """One copy.

    Attributes:
        identifier: its name for clients.
        runner: runs its calls.
        functions: its functions, which may be those of a service that was reloaded since.
        made: the time of its creation, by the monotonic clock.
        used: the time of its last use.
        busy: the number of calls that it has now.
    """

    identifier: str
    runner: CallRunner
    functions: Functions
    made: float
    used: float
    busy: int = 0


class Instances:
    """The instances of a server process.

    Args:
        backend: the backend that they are copies of.
        limits: the limits on their number and time.
        worker: the prefix of identifiers, which names the process.
    """

    def __init__(self, backend: Backend, limits: ServeLimits, worker: str) -> None:
        self._backend, self._limits, self._worker = backend, limits, worker
        self._known: dict[str, StickyInstance] = {}
        self._starting = 0
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._known)

    async def make(self) -> dict[str, Any]:
        """Load one more; its description.

        Raises:
            ProblemError: there are too many. Others: as loading.
        """
        if len(self._known) + self._starting >= self._limits.instances:
            raise ProblemError("instances", f"there are {self._limits.instances} instances already; delete one")
        identifier = f"{self._worker}-{secrets.token_urlsafe(16)}"
        self._starting += 1
        try:
            runner = await asyncio.to_thread(self._backend.sticky, "instance")
            functions = await self._backend.functions_of(runner.pool.interface)
        finally:
            self._starting -= 1
        now = monotonic()
        instance = self._known[identifier] = StickyInstance(identifier, runner, functions, now, now)
        return self._describe(instance)

    def find(self, identifier: str) -> StickyInstance:
        """The instance of that name.

        Raises:
            ProblemError: there is none.
        """
        found = self._known.get(identifier)
        if found is None:
            raise ProblemError("not-found", "there is no such instance; it was deleted, or has not been used for long")
        return found

    def describe(self, identifier: str) -> dict[str, Any]:
        """The description of an instance.

        Raises:
            ProblemError: there is none.
        """
        return self._describe(self.find(identifier))

    def listing(self) -> list[dict[str, Any]]:
        """The descriptions of all."""
        return [self._describe(item) for item in self._known.values()]

    def _describe(self, instance: StickyInstance) -> dict[str, Any]:
        now = monotonic()
        left = self._limits.instance_time - (0 if instance.busy else now - instance.used)
        return {
            "id": instance.identifier,
            "age": round(now - instance.made, 3),
            "expires_in": round(max(left, 0.0), 3),
            "calls": instance.busy,
        }

    def delete(self, identifier: str) -> None:
        """Free an instance; calls that run in it are stopped.

        Raises:
            ProblemError: there is none.
        """
        instance = self.find(identifier)
        del self._known[identifier]
        task = asyncio.get_running_loop().create_task(instance.runner.close(0))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def sweep(self) -> None:
        """Delete instances that have not been used for long, until it is cancelled."""
        while True:
            await asyncio.sleep(min(self._limits.instance_time / 4, 5.0))
            limit = monotonic() - self._limits.instance_time
            for instance in [item for item in self._known.values() if not item.busy and item.used < limit]:
                self.delete(instance.identifier)

    async def close(self) -> None:
        """Delete all."""
        for identifier in list(self._known):
            self.delete(identifier)
        if self._closing:
            await asyncio.wait(self._closing)


class InstanceRunner:
    """Runs the calls of one instance."""

    def __init__(self, instance: StickyInstance) -> None:
        self._instance = instance

    def current(self, function: Function) -> Function:
        """See `Backend.current`; an instance stays what it is."""
        return function

    async def call(self, *args: Any) -> Any:
        """See `CallRunner.call`."""
        instance = self._instance
        instance.busy += 1
        try:
            return await instance.runner.call(*args)
        finally:
            instance.busy -= 1
            instance.used = monotonic()

"""Copies of the service that a server process runs: those on threads, the one on the event loop, those of clients.

Every copy is loaded by `InstanceSource`. It tells what its modules use after a call, at most once a second, as only the
thread of a copy may ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, cast

from marine_gen.artifact import load
from marine_gen.console.host_file import read_host_functions
from marine_gen.serve.settings import Settings
from marine_runtime import ArgumentError, CallOptions, MarineError, ResultError, Service
from marine_runtime.pool import ServicePool

_EVERY = 1.0


@dataclass(slots=True)
class Usage:
    """The resources that the modules of all copies of a process use.

    Attributes:
        memory: bytes by copy and module.
        rejects: refused growths of copies that are there.
        past_rejects: those of copies that are gone.
    """

    memory: dict[int, Mapping[str, int]] = field(default_factory=dict)
    rejects: dict[int, int] = field(default_factory=dict)
    past_rejects: int = 0
    lock: Lock = field(default_factory=Lock)

    def totals(self) -> tuple[dict[str, int], int]:
        """Bytes by module, and refused growths, of all copies together."""
        totals: dict[str, int] = {}
        with self.lock:
            for sizes in self.memory.values():
                for module, size in sizes.items():
                    totals[module] = totals.get(module, 0) + size
            return totals, self.past_rejects + sum(self.rejects.values())


class ObservedService:
    """A service that a pool runs, and whose use of memory is looked at between calls."""

    def __init__(self, service: Service, usage: Usage) -> None:
        self._service, self._usage = service, usage
        self.interface = service.interface
        self._next = 0.0
        self._look()

    def call(self, module: str, function: str, args: Any, **options: Any) -> Any:
        """See `Service.call`."""
        try:
            return self._service.call(module, function, args, **options)
        except MarineError:
            self._next = 0.0  # a growth may have been refused
            raise
        finally:
            if monotonic() >= self._next:
                self._look()

    def close(self) -> None:
        """See `Service.close`."""
        with self._usage.lock:
            self._usage.memory.pop(id(self), None)
            self._usage.past_rejects += self._usage.rejects.pop(id(self), 0)
        self._service.close()

    def _look(self) -> None:
        figures = self._service.statistics()
        with self._usage.lock:
            self._usage.memory[id(self)] = figures.memory
            self._usage.rejects[id(self)] = figures.rejects or 0
        self._next = monotonic() + _EVERY


class InstanceSource:
    """Loads copies of the service of a server; a pool calls it on the thread of each copy.

    Attributes:
        name: the name of the service, once it was loaded.
    """

    def __init__(self, settings: Settings, usage: Usage) -> None:
        self.name = ""
        self._settings, self._usage = settings, usage
        self._options = dict(settings.options)
        if settings.host_file is not None:
            self._options["host_functions"] = read_host_functions(settings.host_file)

    def __call__(self) -> Service:
        """A new copy.

        Raises:
            As `marine_gen.load`.
        """
        service = load(self._settings.target, **self._options)
        self.name = service.name
        return cast("Service", ObservedService(service, self._usage))

    def pool(self, threads: int, queue: int, *, name: str, sticky: bool = False) -> ServicePool:
        """A pool of copies; a `sticky` copy is kept as it is after a failure.

        Raises:
            As `ServicePool`.
        """
        timeout = self._settings.limits.timeout
        return ServicePool(
            self,
            workers=threads,
            kind="threads",
            timeout=timeout,
            queue=queue,
            replace_poisoned=not sticky,
            name=name,
        )


def try_loading(settings: Settings) -> None:
    """Load the service once, to see that it can be loaded, and free it.

    Raises:
        As `marine_gen.load`.
    """
    InstanceSource(settings, Usage())().close()


class InlineCopy:
    """A copy that belongs to the event loop and runs calls that are known to be short. It blocks the loop meanwhile."""

    def __init__(self, source: Callable[[], Service]) -> None:
        self._source = source
        self._service: Service | None = None

    def load(self) -> Service:
        """The copy, which is loaded unless it is there.

        Raises:
            As `marine_gen.load`.
        """
        if self._service is None:
            self._service = self._source()
        return self._service

    def call(self, module: str, function: str, args: Any, options: CallOptions) -> Any:
        """See `Service.call`. A copy whose guest was cut off is replaced before the next call."""
        service = self.load()
        try:
            return service.call(module, function, args, **options)
        except (ArgumentError, ResultError):
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the copy; the next call loads another one."""
        service, self._service = self._service, None
        if service is not None:
            service.close()

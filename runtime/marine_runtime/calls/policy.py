"""Per-call timeouts, fuel limits and statistics.

A service without any of them hands out its entries unchanged; this module then costs nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter

from marine_runtime.calls.guard import Guard
from marine_runtime.calls.limits import check_fuel, check_timeout
from marine_runtime.calls.options import CallOptions
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import TYPE_CHECKING, Any
from marine_runtime.wasm import Store

if TYPE_CHECKING:
    from marine_runtime.calls.statistics import FunctionStatistics

Entry = Callable[..., Any]
_NONE = CallOptions()


class Operations:
    """The policy by which calls of one service are run.

    Attributes:
        functions: the counts, by (module, function); empty when nothing is counted.
        free: whether calls are neither limited nor counted, unless their own options say so.
    """

    def __init__(
        self, store: Store, guard: Guard, timeout: float | None, fuel: int | None = None, *, collect: bool
    ) -> None:
        self._store = store
        self._guard = guard
        self._timeout = None if timeout is None else check_timeout(timeout)
        self._fuel = None if fuel is None else check_fuel(fuel)
        self._collect = collect
        self.free = timeout is None and fuel is None and not collect
        self.functions: dict[tuple[str, str], FunctionStatistics] = {}

    def wrap(self, module: str, function: str, entry: Entry) -> Entry:
        """`entry` inside the limits and counters of every call of the service."""
        if self.free:
            return entry

        @functools.wraps(entry)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.around(module, function):
                return entry(*args, **kwargs)

        return call

    def around(
        self, module: str, function: str, options: CallOptions = _NONE, *, calls: int = 1
    ) -> AbstractContextManager[None]:
        """Limit and count what is done inside, as `calls` calls of a function; `options` override the service's own.

        Raises:
            ArgumentError: a limit is not a positive number, or the service has no fuel.
            StateError: the service is closed, busy, or owned by another thread.
        """
        timeout, fuel = options.get("timeout"), options.get("fuel")
        timeout = self._timeout if timeout is None else check_timeout(timeout)
        fuel = self._fuel if fuel is None else self._override(fuel)
        if timeout is not None or fuel is not None:
            self._guard.require_idle()  # deadline and fuel belong to a call that is running, and to its thread
        limited = self._limited(timeout, fuel)
        return self._counted(limited, (module, function), calls) if self._collect else limited

    @contextmanager
    def _counted(self, limited: AbstractContextManager[None], key: tuple[str, str], calls: int) -> Iterator[None]:
        """Count what is done inside `limited`, as `calls` calls of a function."""
        from marine_runtime.calls.statistics import FunctionStatistics

        used = self._store.fuel_used
        start = perf_counter()
        failed = 0
        try:
            with limited:
                yield
        except BaseException:
            failed = 1
            raise
        finally:
            counted = self.functions.setdefault(key, FunctionStatistics())
            counted.calls += calls
            counted.failures += failed
            counted.seconds += perf_counter() - start
            counted.fuel += self._store.fuel_used - used

    def loading(self, timeout: float | None = None) -> AbstractContextManager[None]:
        """Limit what modules do while they are loaded; `timeout` overrides the service's own."""
        return self._limited(self._timeout if timeout is None else check_timeout(timeout), self._fuel)

    def _limited(self, timeout: float | None, fuel: int | None) -> AbstractContextManager[None]:
        """Limits on what is done inside. A time limit alone, which is what most calls have, costs little."""
        watched = nullcontext() if timeout is None else self._store.watching(timeout)
        return watched if fuel is None else self._fuelled(watched, fuel)

    @contextmanager
    def _fuelled(self, watched: AbstractContextManager[None], fuel: int) -> Iterator[None]:
        with self._store.fuelled(fuel), watched:
            yield

    def _override(self, fuel: int) -> int:
        """The fuel of one call; its code must have been compiled to use any."""
        checked = check_fuel(fuel)
        if self._fuel is None:
            raise ArgumentError(
                "the service was loaded without fuel, so its calls can't be limited by fuel: load it with `fuel`"
            )
        return checked

"""Calls with something around them: a time limit, or a clock that counts them.

A service without either gives out its entries as they are; this module then costs nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import Any

from marine_runtime.backend import Store
from marine_runtime.guard import Guard
from marine_runtime.limits import check_timeout
from marine_runtime.statistics import FunctionStatistics

Entry = Callable[..., Any]


class Operations:
    """How calls of one service are run.

    Attributes:
        functions: what was counted, by (module, function); empty when nothing is.
    """

    def __init__(self, store: Store, guard: Guard, timeout: float | None, *, collect: bool) -> None:
        self._store = store
        self._guard = guard
        self._timeout = None if timeout is None else check_timeout(timeout)
        self._collect = collect
        self.functions: dict[tuple[str, str], FunctionStatistics] = {}

    def wrap(self, module: str, function: str, entry: Entry) -> Entry:
        """`entry` with what every call of the service has around it."""
        if self._timeout is None and not self._collect:
            return entry

        @functools.wraps(entry)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.around(module, function):
                return entry(*args, **kwargs)

        return call

    @contextmanager
    def around(self, module: str, function: str, timeout: float | None = None, calls: int = 1) -> Iterator[None]:
        """Limit and count what is done inside, as `calls` calls of a function; `timeout` goes before the service's own.

        Raises:
            ArgumentError: `timeout` is not a positive number.
            StateError: the service is closed, busy, or owned by another thread.
        """
        timeout = self._timeout if timeout is None else check_timeout(timeout)
        if timeout is not None:
            self._guard.enter()  # the deadline belongs to a call that is running, and to its thread
            self._guard.leave()
        start = perf_counter()
        failed = 0
        try:
            with nullcontext() if timeout is None else self._store.watching(timeout):
                yield
        except BaseException:
            failed = 1
            raise
        finally:
            if self._collect:
                counted = self.functions.setdefault((module, function), FunctionStatistics())
                counted.calls += calls
                counted.failures += failed
                counted.seconds += perf_counter() - start

    @contextmanager
    def loading(self, timeout: float | None = None) -> Iterator[None]:
        """Limit what modules do while they are loaded; `timeout` goes before the service's own."""
        timeout = self._timeout if timeout is None else check_timeout(timeout)
        with nullcontext() if timeout is None else self._store.watching(timeout):
            yield

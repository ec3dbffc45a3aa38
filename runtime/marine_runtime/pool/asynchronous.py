"""`AsyncServicePool`: a pool for programs that run on asyncio altogether."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from marine_runtime.calls.options import CallOptions, refuse_unknown, with_keywords
from marine_runtime.errors import StateError
from marine_runtime.pool.functions import PoolFunction
from marine_runtime.pool.options import PoolOptions
from marine_runtime.pool.pool import Arguments, ServicePool
from marine_runtime.service.handles import ModuleHandle, Modules
from marine_runtime.service.service import Service


class AsyncServicePool:
    """A `ServicePool` of which nothing blocks the event loop: not loading, not calls, not closing.

    Use it with `async with`; then `await pool.call("greeting", "greeting", ["John"])`, or
    `await pool.modules.greeting.greeting("John")`.

    Args:
        source: as `ServicePool` takes it.
        options: as `ServicePool` takes them; what it raises is raised when the pool is entered.

    Attributes:
        modules: the functions of all modules, to be awaited; there once the pool was entered.
    """

    modules: Any  # `Modules`, whose attributes type checkers can't know

    @with_keywords(PoolOptions)
    def __init__(self, source: str | Path | Callable[..., Service], **options: Unpack[PoolOptions]) -> None:
        refuse_unknown("AsyncServicePool", options, PoolOptions)
        self._source, self._options, self._entered = source, options, False
        self._pool: ServicePool | None = None

    @property
    def pool(self) -> ServicePool:
        """The pool itself, for what needs no waiting, such as `interface` and `statistics`.

        Raises:
            StateError: it was not entered.
        """
        if self._pool is None:
            raise StateError("the pool is not there yet: use `async with`")
        return self._pool

    @with_keywords(CallOptions)
    async def call(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        **options: Unpack[CallOptions],
    ) -> Any:
        """`ServicePool.call_async`."""
        return await self.pool.call_async(module, function, args, **options)

    @with_keywords(CallOptions)
    async def map(
        self,
        module: str,
        function: str,
        rows: Iterable[Arguments],
        *,
        chunk: int | None = None,
        **options: Unpack[CallOptions],
    ) -> list[Any]:
        """`ServicePool.map`, on a thread of its own. When the task is cancelled, the calls go on."""
        return await asyncio.to_thread(self.pool.map, module, function, rows, chunk=chunk, **options)

    async def __aenter__(self) -> Self:
        if self._entered:
            raise StateError("the pool was entered before: make another one")
        self._entered = True
        executor = ThreadPoolExecutor(1, "marine-pool-loading")
        loading = executor.submit(ServicePool, self._source, **self._options)
        executor.shutdown(wait=False)
        try:
            pool = self._pool = await asyncio.wrap_future(loading)
        except asyncio.CancelledError:
            loading.add_done_callback(_drop)
            raise
        self.modules = Modules({name: _awaited(pool, pool.modules[name]) for name in pool.modules})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.pool.__exit__, kind, value, traceback)

    def __repr__(self) -> str:
        return f"<AsyncServicePool of {self._pool}>" if self._pool else "<AsyncServicePool: not there yet>"


def _drop(loading: Future[ServicePool]) -> None:
    """Close a pool that nobody waits for any more."""
    if not loading.cancelled() and loading.exception() is None:
        loading.result().close(timeout=0)


def _awaited(pool: ServicePool, handle: ModuleHandle) -> ModuleHandle:
    """The functions of a module, to be awaited."""
    functions = {name: _function(pool, handle[name]) for name in handle}
    return ModuleHandle(handle._name, functions, handle.records)


def _function(pool: ServicePool, function: PoolFunction) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await pool.run_async(function, *args, **kwargs)

    call.__name__, call.__qualname__, call.__doc__ = function.__name__, function.__qualname__, function.__doc__
    return call

"""`AsyncServicePool`: a pool for programs that run on asyncio altogether."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, Unpack

from marine_runtime.calls.options import CallOptions, refuse_unknown, with_keywords
from marine_runtime.errors import ArgumentError, StateError
from marine_runtime.pool.base import Arguments, BasePool
from marine_runtime.pool.event_loop import result_of
from marine_runtime.pool.functions import PoolFunction
from marine_runtime.pool.options import PoolOptions
from marine_runtime.pool.plan import PoolPlan
from marine_runtime.pool.pool import ServicePool
from marine_runtime.service.handles import ModuleHandle, Modules
from marine_runtime.service.service import Service
from marine_runtime.values.scalars import kind

Pool = TypeVar("Pool", bound=BasePool)
P = ParamSpec("P")
Q = ParamSpec("Q")
T = TypeVar("T")


class AsyncPool(Generic[Pool]):
    """A pool for asyncio: loading, calls and closing do not block the event loop.

    Use it with `async with`; then `await pool.call("greeting", "greeting", ["John"])`, or
    `await pool.modules.greeting.greeting("John")`.

    Args:
        make: makes the pool when it is entered, such as `open_pool` of a typed package.
        args: positional arguments of `make`.
        kwargs: keyword arguments of `make`.

    Attributes:
        modules: the functions of all modules, to be awaited; there once the pool was entered.
    """

    modules: Any  # `Modules`, whose attributes type checkers can't know

    def __init__(self, make: Callable[P, Pool], /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not callable(make):
            raise ArgumentError(
                f"a pool must be made by a function, such as `open_pool` of a typed package, not {kind(make)}"
            )
        self._make = partial(make, *args, **kwargs)
        self._entered = False
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        """The pool itself, for attributes that need no waiting, such as `interface` and `statistics`.

        Raises:
            StateError: it was not entered.
        """
        if self._pool is None:
            raise StateError("the pool is not open yet: use `async with`")
        return self._pool

    @with_keywords(CallOptions)
    async def call(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        **options: Unpack[CallOptions],
    ) -> Any:
        """Call a function, as `ServicePool.call` does. The event loop waits for room in the queue and for the result.

        When the task is cancelled, a call that waits is dropped; one that runs goes on, and its result is dropped.

        Raises:
            As `ServicePool.call`.
        """
        pool = self.pool
        return await result_of(pool._jobs, pool._job("call", module, function, args, options))

    async def run(self, function: Callable[Q, T], /, *args: Q.args, **kwargs: Q.kwargs) -> T:
        """The same for a function of `pool.modules`, whose types a typed package declares.

        `await pool.run(pool.pool.modules.greeting.greeting, "John")`.

        Raises:
            ArgumentError: `function` is not one of this pool. Others: as `call`.
        """
        pool = self.pool
        if not isinstance(function, PoolFunction) or function.run != pool._wait:
            raise ArgumentError(f"run takes a function of `modules` of the pool itself, got {function!r}")
        result: T = await result_of(pool._jobs, function.job(args, kwargs))
        return result

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
            raise StateError("the pool was already entered: make another one")
        self._entered = True
        executor = ThreadPoolExecutor(1, "marine-pool-loading")
        loading = executor.submit(self._make)
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
        name = type(self).__name__
        return f"<{name} of {self._pool}>" if self._pool else f"<{name}: not open yet>"


class AsyncServicePool(AsyncPool[ServicePool]):
    """A `ServicePool` for programs that run on asyncio; see `AsyncPool`.

    Args:
        source: as `ServicePool` takes it.
        options: as `ServicePool` takes them.

    Raises:
        ArgumentError: an argument is out of range, or can't be sent to a worker process. What loading raises is raised
            when the pool is entered.
    """

    @with_keywords(PoolOptions)
    def __init__(self, source: str | Path | Callable[..., Service], **options: Unpack[PoolOptions]) -> None:
        refuse_unknown("AsyncServicePool", options, PoolOptions)
        PoolPlan.of(source, options)
        super().__init__(ServicePool, source, **options)


def _drop(loading: Future[Any]) -> None:
    """Close a pool that nobody waits for any more."""
    if not loading.cancelled() and loading.exception() is None:
        loading.result().close(timeout=0)


def _awaited(pool: BasePool, handle: ModuleHandle) -> ModuleHandle:
    """The functions of a module, to be awaited."""
    functions = {name: _function(pool, handle[name]) for name in handle}
    return ModuleHandle(handle._name, functions, handle.records)


def _function(pool: BasePool, function: PoolFunction) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await result_of(pool._jobs, function.job(args, kwargs))

    call.__name__, call.__qualname__, call.__doc__ = function.__name__, function.__qualname__, function.__doc__
    return call

"""A service that is served elsewhere, with functions that are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from marine_gen.client.functions import RemoteFunction
from marine_gen.client.remote import Arguments, RemoteService
from marine_runtime.artifact import ModuleHandle, Modules


class AsyncRemoteService:
    """A `RemoteService` whose functions are awaited: `await service.modules.greeting.greeting("John")`.

    Use it with `async with`; arguments are those of `RemoteService`.

    Attributes:
        service: the service itself, for what needs no waiting, such as `interface`.
        modules: the functions of all modules, to be awaited.
    """

    modules: Any  # `Modules`, whose attributes type checkers can't know

    def __init__(self, url: str, **options: Any) -> None:
        self._url, self._options = url, options
        self.service: RemoteService

    async def call(self, module: str, function: str, args: Arguments = (), **options: Any) -> Any:
        """`RemoteService.call_async`."""
        return await self.service.call_async(module, function, args, **options)

    async def __aenter__(self) -> Self:
        self.service = await asyncio.to_thread(lambda: RemoteService(self._url, **self._options))
        modules = self.service.modules
        self.modules = Modules({name: _awaited(self.service, modules[name]) for name in modules})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.service.aclose()


def _awaited(service: RemoteService, handle: ModuleHandle) -> ModuleHandle:
    def one(function: RemoteFunction) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await service.run_async(function, *args, **kwargs)

        call.__name__, call.__doc__ = function.name, function.__doc__
        return call

    return ModuleHandle(handle._name, {name: one(handle[name]) for name in handle}, handle.records)

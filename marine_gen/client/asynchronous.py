"""A service that is served elsewhere, with functions that are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from marine_gen.client.functions import RemoteFunction, check_client
from marine_gen.client.remote import Arguments, RemoteService
from marine_runtime import CallParameters, StateError
from marine_runtime.artifact import ModuleHandle, Modules


class AsyncRemoteService:
    """A `RemoteService` whose functions are awaited: `await service.modules.greeting.greeting("John")`.

    Use it with `async with`; arguments are those of `RemoteService`.

    Attributes:
        modules: the functions of all modules, to be awaited; there once it was entered.

    Raises:
        ArgumentError: an argument is not valid for a `RemoteService`. Errors of the server are raised on entering.
    """

    modules: Any  # `Modules`, whose attributes type checkers can't know

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        check_client(url, token, timeout, client)
        self._open = partial(RemoteService, url, token=token, timeout=timeout, client=client)
        self._service: RemoteService | None = None

    @property
    def service(self) -> RemoteService:
        """The service itself, for attributes that need no waiting, such as `interface`.

        Raises:
            StateError: it was not entered.
        """
        if self._service is None:
            raise StateError("the service is not connected yet: use `async with`")
        return self._service

    async def call(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        timeout: float | None = None,
        call_parameters: CallParameters | None = None,
    ) -> Any:
        """`RemoteService.call_async`."""
        return await self.service.call_async(module, function, args, timeout=timeout, call_parameters=call_parameters)

    async def __aenter__(self) -> Self:
        service = self._service = await asyncio.to_thread(self._open)
        modules = service.modules
        self.modules = Modules({name: _awaited(service, modules[name]) for name in modules})
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

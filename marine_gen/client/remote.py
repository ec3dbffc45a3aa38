"""`connect`: a service that is served elsewhere, with the functions and record classes of a local one."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, Self, TypeVar
from weakref import WeakKeyDictionary

import httpx

from marine_gen.client.failures import RemoteError, error_of
from marine_gen.client.functions import FORM, CallRequest, RemoteFunction, check_client, option_headers, time_limit
from marine_gen.wire.interface import from_document
from marine_runtime import ArgumentError, CallError, CallParameters, Interface, LoadError, StateError
from marine_runtime.artifact import UNDECLARED, Declared, ModuleHandle, check_rows
from marine_runtime.pool import ServiceMarshaller

Arguments = Sequence[Any] | Mapping[str, Any]
P = ParamSpec("P")
S = TypeVar("S", bound="RemoteService")
T = TypeVar("T")

_PATIENCE = 330.0
"""Seconds to wait for an answer; the server ends calls long before."""

_ROWS, _CHARACTERS = 500, 1 << 20
"""Calls of one request, and characters of their arguments."""

_TOO_LARGE = 413


class RemoteService:
    """A service behind HTTP. Use it as a context manager, or `close()` it.

    Functions are those of a local service, `service.modules.greeting.greeting("John")`, and raise the same errors. It
    may be used from several threads, and from asyncio by `call_async` and `run_async`. Floats that are not finite can't
    be sent, as JSON has none; in results they arrive as NaN.

    Args:
        url: the URL of the server; its path is that of the mounted application.
        token: the bearer token, if the server asks for one.
        timeout: seconds for each call, instead of the server's limit.
        client: options of `httpx.Client`, such as `verify` or `transport`.

    Raises:
        RemoteError: there is no such server, or it refuses. LoadError: its interface is not the declared one.
    """

    modules: Any  # `Modules`; generated packages declare a class of their own
    _declared: ClassVar[Declared] = UNDECLARED

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        check_client(url, token, timeout, client)
        headers = {"User-Agent": "marine-gen"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        self._options: dict[str, Any] = {
            "base_url": url.rstrip("/") + "/",
            "headers": headers,
            "timeout": httpx.Timeout(_PATIENCE, connect=10.0),
            **(client or {}),
        }
        self._timeout = timeout
        self._prefix = ""
        self._http = httpx.Client(**self._options)
        # Connections belong to the event loop that made them.
        self._async = WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]()
        try:
            self._describe(self._read("interface"))
        except BaseException:
            self._http.close()
            raise

    def _describe(self, document: Any) -> None:
        interface = from_document(document)
        _check(interface, self._declared)
        self.name = str(document.get("service", ""))
        self._marshaller = ServiceMarshaller(interface, self._declared)
        self._functions: dict[tuple[str, str], RemoteFunction] = {}
        self._offer()

    def _offer(self) -> None:
        self.modules = self._declared.together({name: self._handle(name) for name in self.interface.modules})

    def _handle(self, module: str) -> ModuleHandle:
        item = self.interface.modules[module]
        functions: dict[str, Callable[..., Any]] = {}
        for name in item.functions:
            found = RemoteFunction(module, name, item, self._marshaller.function(module, name), self._run)
            functions[name] = self._functions[module, name] = found
        return self._declared.handle(module, functions, self.records[module], item.left_out)

    @property
    def interface(self) -> Interface:
        """Signatures and records of every module; `str()` gives a listing."""
        return self._marshaller.interface

    @property
    def records(self) -> Mapping[str, Mapping[str, type]]:
        """The record classes of results, by module and record name."""
        return self._marshaller.records

    def call(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        timeout: float | None = None,
        call_parameters: CallParameters | None = None,
    ) -> Any:
        """Call a function; see `Service.call`.

        Raises:
            As `Service.call`; RemoteError: the server did not run it.
        """
        found = self._function(module, function)
        return self._run(found, found.arguments(args), timeout, call_parameters)

    def call_batch(
        self,
        module: str,
        function: str,
        rows: Iterable[Arguments],
        *,
        timeout: float | None = None,
        call_parameters: CallParameters | None = None,
    ) -> list[Any]:
        """Call a function many times, in requests of some hundred calls; see `Service.call_batch`.

        An instance makes one call after the other.

        Returns:
            For every row, in order, the result, or the exception that `call` would have raised.
        """
        found = self._function(module, function)
        results: list[Any] = []
        good: list[tuple[int, str]] = []
        for position, row in enumerate(check_rows(rows)):
            results.append(None)
            try:
                if self._prefix:
                    results[-1] = self._run(found, found.arguments(row), timeout, call_parameters)
                    continue
                good.append((position, found.text(found.arguments(row))))
            except (CallError, ArgumentError, RemoteError) as error:
                if isinstance(error, RemoteError) and not error.status:
                    raise  # nobody is there
                results[position] = error
        head = f'{{"module":{json.dumps(module)},"function":{json.dumps(function)},"arguments":'
        headers = {"Content-Type": FORM.media_type, "Accept": FORM.media_type}
        headers |= option_headers(time_limit(timeout, self._timeout), call_parameters)
        parts = deque(_parts(good))
        while parts:
            part = parts.popleft()
            body = "[" + ",".join([head + text + "}" for _, text in part]) + "]"
            response = self._post(CallRequest("batch", headers, body.encode()))
            outcomes = _document(response)
            if response.status_code == _TOO_LARGE:  # no call was made
                middle = len(part) // 2
                if middle:
                    parts.extendleft((part[middle:], part[:middle]))
                else:
                    results[part[0][0]] = error_of(outcomes, response.status_code)
                continue
            if response.status_code != 200:
                raise error_of(outcomes, response.status_code)
            for (position, _), outcome in zip(part, outcomes, strict=True):
                results[position] = _outcome(found, outcome)
        return results

    async def call_async(
        self,
        module: str,
        function: str,
        args: Arguments = (),
        *,
        timeout: float | None = None,
        call_parameters: CallParameters | None = None,
    ) -> Any:
        """`call`, for asyncio. When the task is cancelled, the server stops the call.

        Raises:
            As `call`.
        """
        found = self._function(module, function)
        return await self._run_async(found, found.arguments(args), timeout, call_parameters)

    async def run_async(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a function of `modules`: `await service.run_async(service.modules.greeting.greeting, "John")`.

        Raises:
            ArgumentError: `function` is not one of this service. Others: as `call`.
        """
        if not isinstance(function, RemoteFunction) or function._run != self._run:
            raise ArgumentError(f"run_async takes a function of the service's `modules`, got {function!r}")
        result: T = await self._run_async(function, function.bind(args, kwargs))
        return result

    @contextmanager
    def instance(self) -> Iterator[Self]:
        """A copy of the service with its own state, until the end of the block.

        Raises:
            RemoteError: the server has too many.
        """
        response = self._post(CallRequest("instances", {}, b""))
        document = _document(response)
        if response.status_code != 201:
            raise error_of(document, response.status_code)
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._prefix, copy._functions = f"instances/{document['id']}/", {}
        copy._offer()
        try:
            yield copy
        finally:
            if not self._http.is_closed:
                with suppress(httpx.TransportError):  # the server frees it after a while, if it is there
                    self._http.delete(f"instances/{document['id']}")

    def _function(self, module: str, function: str) -> RemoteFunction:
        self._marshaller.function(module, function)  # says what there is
        return self._functions[module, function]

    def _run(
        self,
        function: RemoteFunction,
        args: list[Any],
        timeout: float | None = None,
        parameters: CallParameters | None = None,
    ) -> Any:
        request = function.request(args, time_limit(timeout, self._timeout), parameters)
        return _result(function, self._post(request, self._prefix))

    async def _run_async(
        self,
        function: RemoteFunction,
        args: list[Any],
        timeout: float | None = None,
        parameters: CallParameters | None = None,
    ) -> Any:
        request = function.request(args, time_limit(timeout, self._timeout), parameters)
        loop = asyncio.get_running_loop()
        client = self._async.get(loop)
        if client is None:
            client = self._async[loop] = httpx.AsyncClient(**self._options)
        path = f"{self._prefix}{request.path}"
        try:
            response = await client.post(path, headers=request.headers, content=request.body)
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return _result(function, response)

    def _post(self, request: CallRequest, prefix: str = "") -> httpx.Response:
        if self._http.is_closed:
            raise StateError("the service is closed: its connections were closed")
        try:
            return self._http.post(f"{prefix}{request.path}", headers=request.headers, content=request.body)
        except httpx.TransportError as error:
            raise _unreachable(error) from error

    def _read(self, path: str) -> Any:
        try:
            response = self._http.get(path)
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        document = _document(response)
        if response.status_code != 200:
            raise error_of(document, response.status_code)
        return document

    def close(self) -> None:
        """Close the connections of synchronous calls; `aclose` closes those of asyncio."""
        self._http.close()

    async def aclose(self) -> None:
        """Close all connections of this event loop, and those that no event loop has."""
        self.close()
        client = self._async.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<RemoteService {self.name} at {self._options['base_url']}>"


def connect(
    url: str, *, token: str | None = None, timeout: float | None = None, client: Mapping[str, Any] | None = None
) -> RemoteService:
    """Call a service that is served at `url`; see `RemoteService`."""
    return RemoteService(url, token=token, timeout=timeout, client=client)


def connector(service: type[S]) -> Callable[..., S]:
    """The function `connect` of a generated package, for its own class of services.

    Raises:
        ArgumentError: `service` is not such a class.
    """
    if not isinstance(service, type) or not issubclass(service, RemoteService):
        raise ArgumentError(f"a connector is made for a class of `RemoteService`, not for {service!r:.80}")

    def connect(
        url: str, *, token: str | None = None, timeout: float | None = None, client: Mapping[str, Any] | None = None
    ) -> S:
        return service(url, token=token, timeout=timeout, client=client)

    connect.__doc__ = f"Call a {service.__name__} that is served at `url`; see `marine_gen.client.RemoteService`."
    return connect


def _check(interface: Interface, declared: Declared) -> None:
    """Refuse a server whose modules are not those that classes were declared for.

    Raises:
        LoadError: a module is missing, or a record has other fields.
    """
    for name, module in declared.of.items():
        if name not in interface.modules:
            raise LoadError(f"the server has no module `{name}`; it serves another service")
        records = interface.modules[name].records
        for index, cls in module.records.items():
            fields = tuple(item.name for item in records[index].fields) if index in records else ()
            if fields != getattr(cls, "__marine_fields__", fields):
                raise LoadError(f"the server's record `{cls.__name__}` of module `{name}` has other fields")


def _result(function: RemoteFunction, response: httpx.Response) -> Any:
    return function.result(response.status_code, response.headers.get("content-type", ""), response.content)


def _parts(calls: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Calls, by position and arguments, in the portions in which they are sent."""
    part: list[tuple[int, str]] = []
    size = 0
    for call in calls:
        size += len(call[1])
        if part and (len(part) == _ROWS or size > _CHARACTERS):
            yield part
            part, size = [], len(call[1])
        part.append(call)
    if part:
        yield part


def _outcome(function: RemoteFunction, outcome: Any) -> Any:
    """The result of one call of a batch, or its error."""
    try:
        if "problem" in outcome:
            return error_of(outcome["problem"], 200)
        return function.public(outcome["result"])
    except Exception as error:
        return error


def _document(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        text = f"the answer is not JSON (status {response.status_code}); is this a marine-gen server?"
        raise RemoteError(text, status=response.status_code) from None


def _unreachable(error: httpx.TransportError) -> RemoteError:
    return RemoteError(f"the server does not answer: {type(error).__name__}: {error}".removesuffix(": "))

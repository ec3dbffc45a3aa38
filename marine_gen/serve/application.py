"""The ASGI application: which request goes where, the start and the end, failures as problem documents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Self

from marine_gen.serve import logs
from marine_gen.serve.backend import Backend
from marine_gen.serve.calls import Calls, Runner
from marine_gen.serve.direct import DirectCalls
from marine_gen.serve.exchange import Exchange, Receive, Room, Scope, Send, failure, identifier_of
from marine_gen.serve.figures import Figures
from marine_gen.serve.functions import Function, find_function
from marine_gen.serve.guards import RequestGuard
from marine_gen.serve.instances import InstanceRunner, Instances
from marine_gen.serve.operations import PUBLIC, Resources
from marine_gen.serve.paths import raw_path, segments
from marine_gen.serve.peers import NAME, PEER, PeerGoneError, Peers
from marine_gen.serve.reload import watch
from marine_gen.serve.runner import ClientGoneError
from marine_gen.serve.settings import Settings
from marine_gen.wire.problems import ProblemError
from marine_runtime import LoadError

logger = logging.getLogger("marine_gen.serve")

_FORWARDED = (b"content-type", b"accept", b"x-marine-timeout", b"x-marine-call-parameters", b"x-request-id")


class Application:
    """A service behind HTTP, as an ASGI application.

    It starts with the lifespan of its server, or, mounted in another application that does not pass that on, with its
    first request. `async with` starts and ends it too.

    Attributes:
        settings: its settings.
        backend: the service.
        calls: answers requests for calls.
        direct: answers those that nothing has to be waited for.
        figures: its counters.
        guard: refuses what must not come in.
        instances: copies of clients.
        connections: tells how many connections are open; the server sets it.
        tell: the line of the log for a service that can't be loaded; the server may set it.
        draining: whether the server ends.
        guarded: whether the server itself ends connections whose bodies do not arrive in time.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backend, self.figures = Backend(settings), Figures()
        self._worker = secrets.token_hex(4)
        self.instances = Instances(self.backend, settings.limits, self._worker)
        self.peers = Peers(settings.peers, self._worker, self)
        self.connections: Callable[[], int] = lambda: 0
        self.tell: Callable[[Exception], str] = _loading
        self.draining = self.guarded = False
        self.guard, self.calls = RequestGuard(settings.access), Calls(settings, self.figures)
        self.direct = DirectCalls(self, access_log=settings.access_log)
        self._operations = Resources(self)
        self._starting = asyncio.Lock()
        self._started = False
        self._tasks: list[asyncio.Task[None]] = []
        self._paths: dict[bytes, Function] = {}
        self._paths_version = 0
        self._requests = 0
        self._room = Room(settings.limits.bodies)

    async def start(self) -> None:
        """Load the service, unless that was done. An application that was closed starts once more.

        Raises:
            As `marine_gen.load`, and LoadError: the server is one of trio, or another event loop.
        """
        _require_asyncio()
        async with self._starting:
            if self._started:
                return
            self.draining = False
            await self.backend.load()
            await self.peers.open()
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self.instances.sweep())]
            if self.settings.reload:
                self._tasks.append(loop.create_task(watch(self.settings, self.backend, self.figures)))
            self._started = True

    async def _start_late(self) -> None:
        """Load the service for the first request, where the server did not say that it starts.

        Raises:
            ProblemError: it can't be loaded. The next request tries again.
        """
        try:
            await self.start()
        except Exception as error:
            logger.error("%s", self.tell(error))
            raise ProblemError("internal", "the service can't be loaded; the log of the server says why") from None

    async def close(self) -> None:
        """Let calls end, and free everything."""
        self.draining = True
        for task in self._tasks:
            task.cancel()
        self.direct.close()
        self._operations.keep_figures()
        await self.peers.close()
        await self.instances.close()
        await self.backend.close()
        self.calls.close()
        self._started, self._starting = False, asyncio.Lock()  # the next start may be on another event loop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The interface of ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: the server answers 403
            return
        time = self.settings.limits.body_time
        exchange = Exchange(scope, receive, send, self.next_identifier(), time, self._room, guarded=self.guarded)
        started = perf_counter()
        try:
            await self._answer(exchange)
        except (ClientGoneError, ConnectionError):
            exchange.status = exchange.status or 499
        finally:
            exchange.end()
            if PEER not in scope:
                self.figures.response(exchange.status)
                if self.settings.access_log:
                    client = scope.get("client") or ("-", 0)
                    path = raw_path(scope).decode("latin-1")
                    seconds = perf_counter() - started
                    logs.log_access(client[0], exchange.method, path, exchange.status, seconds, exchange.identifier)

    def next_identifier(self) -> str:
        """A new name for a request, for the log."""
        self._requests += 1
        return f"{self._worker}-{self._requests:x}"

    async def _answer(self, exchange: Exchange) -> None:
        try:
            if not self._started and not self.draining:
                await self._start_late()
            await self._dispatch(exchange)
        except (ClientGoneError, ConnectionError):
            raise
        except Exception as error:
            if exchange.status:
                logger.exception("the response of %s was broken off", exchange.identifier)
                raise ConnectionError from error
            await exchange.fail(failure(error, exchange.identifier))
        except asyncio.CancelledError:
            # The server ends, and the time that calls get for that is over.
            if not exchange.status:
                with contextlib.suppress(Exception):
                    await exchange.fail(ProblemError("closing", "the server is closing, and the call did not end"))
                    if self.guarded:  # our own server, which would log a traceback
                        return
            raise

    async def _dispatch(self, exchange: Exchange) -> None:
        exchange.read_headers()
        exchange.identifier = identifier_of(exchange.headers, exchange.identifier)
        raw, method = raw_path(exchange.scope), exchange.method
        trusted = PEER in exchange.scope
        if not trusted:
            self.guard.check(method, exchange.headers)
        if method == "POST":
            function = self.known(raw)
            if function is not None:
                if not trusted:
                    self.guard.authenticate(exchange.headers)
                await self.calls.call(exchange, function, self.backend)
                return
        parts = segments(raw)
        if not trusted and not (len(parts) == 1 and parts[0] in PUBLIC and method in ("GET", "HEAD")):
            self.guard.authenticate(exchange.headers)
        await self._route(exchange, method, parts)

    async def _route(self, exchange: Exchange, method: str, parts: list[str]) -> None:
        if method == "POST" and len(parts) == 2:
            await self.calls.call(exchange, self._learn(exchange, parts), self.backend)
        elif parts == ["batch"]:
            _only(method, "POST")
            await self.calls.batch(exchange, self.function, self.backend)
        elif parts == ["instances"]:
            await self._operations.instances(exchange)
        elif len(parts) in (2, 4) and parts[0] == "instances":
            await self._instance(exchange, method, parts)
        elif len(parts) == 1:
            await self._operations.get(exchange, parts[0])
        elif len(parts) == 2 and (parts[0], parts[1]) in self.backend.functions:
            _only(method, "POST")
        else:
            raise ProblemError("not-found", "there is nothing at this path; a call is `POST /{module}/{function}`")

    async def _instance(self, exchange: Exchange, method: str, parts: list[str]) -> None:
        worker = parts[1].partition("-")[0]
        if worker != self._worker and NAME.fullmatch(worker) and worker in self.peers.others():
            await self._forward(exchange, worker)
            return
        if len(parts) == 2:
            _only(method, "GET", "HEAD", "DELETE")
            await self._operations.instance(exchange, parts[1])
            return
        _only(method, "POST")
        instance = self.instances.find(parts[1])
        runner: Runner = InstanceRunner(instance)
        await self.calls.call(exchange, find_function(instance.functions, parts[2], parts[3]), runner)

    async def _forward(self, exchange: Exchange, worker: str) -> None:
        """Let the process answer that has the instance."""
        body = await exchange.body(self.settings.limits.body)
        headers = {name: exchange.headers[name] for name in _FORWARDED if name in exchange.headers}
        headers[b"x-request-id"] = exchange.identifier.encode("ascii")
        head = {
            "method": exchange.method,
            "path": raw_path(exchange.scope).decode("ascii"),
            "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.items()],
        }
        asking = asyncio.ensure_future(self.peers.forward(worker, head, body))
        leaving = asyncio.ensure_future(exchange.gone())
        try:
            await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise ClientGoneError
            status, fields, content = asking.result()
        except PeerGoneError:
            raise ProblemError("not-found", "there is no such instance; its process has ended") from None
        finally:
            asking.cancel()
            leaving.cancel()
        given = dict(fields)
        kind = given.pop("content-type", "application/json").encode("latin-1")
        for name in ("content-length", "x-request-id"):
            given.pop(name, None)
        await exchange.respond(status, content, kind, given)

    def function(self, module: str, name: str) -> Function:
        """A function by its names.

        Raises:
            ProblemError: there is none.
        """
        return find_function(self.backend.functions, module, name)

    def known(self, raw: bytes) -> Function | None:
        """A function by a path that has been asked for before."""
        if self._paths_version != self.backend.version:
            self._paths.clear()
            self._paths_version = self.backend.version
        return self._paths.get(raw)

    def _learn(self, exchange: Exchange, parts: list[str]) -> Function:
        function = self.function(parts[0], parts[1])
        if len(self._paths) < 4 * len(self.backend.functions):  # a name can be escaped in many ways
            self._paths[raw_path(exchange.scope)] = function
        return function

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": self.tell(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        except asyncio.CancelledError:  # the server was told to end at once
            if self.guarded:
                return
            raise
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


def _require_asyncio() -> None:
    """Do nothing on an event loop of asyncio.

    Raises:
        LoadError: this is another one.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise LoadError(
            "it is served on an event loop of asyncio alone, which uvloop's is too, and the server runs it on another "
            "one, such as that of trio: choose a worker of asyncio"
        ) from None


def _loading(error: Exception) -> str:
    return f"the service can't be loaded: {error}"


def _only(method: str, *allowed: str) -> None:
    """Refuse other methods.

    Raises:
        ProblemError: the method is another one.
    """
    if method not in allowed:
        names = ", ".join(allowed)
        raise ProblemError("method", f"the methods of this resource are {names}", headers={"Allow": names})

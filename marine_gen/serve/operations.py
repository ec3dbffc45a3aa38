"""Everything but calls: the page, descriptions of the service, health, figures, the list of instances."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from marine_gen.serve import metrics
from marine_gen.serve.assets import HEADERS, assets
from marine_gen.serve.backend import Backend
from marine_gen.serve.exchange import Exchange
from marine_gen.serve.figures import Figures, added, counted
from marine_gen.serve.instances import Instances
from marine_gen.serve.openapi import describe
from marine_gen.serve.paths import mount_point
from marine_gen.serve.peers import PEER, Peers
from marine_gen.serve.picture import draw
from marine_gen.serve.settings import Settings
from marine_gen.wire.forms import JsonForm
from marine_gen.wire.interface import to_document
from marine_gen.wire.problems import ProblemError

PUBLIC = frozenset({"", "docs", "page.css", "common.js", "forms.js", "page.js", "docs.js", "health", "ready"})
"""Paths that can be read without a token: they tell nothing about the service."""

_READ = ("GET", "HEAD")
_DOCUMENTS = 16


class ResourceParts(Protocol):
    """The parts of an application that resources tell about; see `Application`."""

    settings: Settings
    backend: Backend
    figures: Figures
    instances: Instances
    peers: Peers
    connections: Callable[[], int]
    draining: bool


class Resources:
    """Answers to requests other than calls."""

    def __init__(self, app: ResourceParts) -> None:
        self._app = app
        self._documents: dict[tuple[int, JsonForm, str], bytes] = {}
        self._picture: tuple[int, bytes] = (0, b"")
        self._handlers: Mapping[str, Callable[[Exchange], Awaitable[None]]] = {
            "health": self._health,
            "ready": self._ready,
            "metrics": self._metrics,
            "figures": self._figures,
            "interface": self._interface,
            "openapi.json": self._openapi,
            "graph.svg": self._graph,
        }

    async def get(self, exchange: Exchange, segment: str) -> None:
        """Answer a request for a path of one segment.

        Raises:
            ProblemError: there is nothing, or the method is not GET.
        """
        asset = assets().get(segment) if self._app.settings.page else None
        handler = self._handlers.get(segment)
        if asset is None and handler is None:
            raise ProblemError("not-found", "there is nothing at this path; a call is `POST /{module}/{function}`")
        if exchange.method not in _READ:
            raise ProblemError("method", "the methods of this resource are GET, HEAD", headers={"Allow": "GET, HEAD"})
        if asset is not None:
            await exchange.respond(200, asset.content, asset.content_type, HEADERS)
        elif handler is not None:
            await handler(exchange)

    async def _health(self, exchange: Exchange) -> None:
        await exchange.respond(200, b'{"status":"ok"}')

    async def _ready(self, exchange: Exchange) -> None:
        if self._app.draining or not self._app.backend.ready:
            raise ProblemError("closing", "the server takes no calls")
        await exchange.respond(200, b'{"status":"ready"}')

    def _own_figures(self) -> dict[str, Any]:
        app = self._app
        memory, refused = app.backend.usage.totals()
        return app.figures.snapshot(
            {
                "waiting": app.backend.waiting,
                "copies_replaced": app.backend.replaced,
                "memory": memory,
                "growths_refused": refused,
                "instances": len(app.instances),
                "connections": app.connections(),
            }
        )

    def keep_figures(self) -> dict[str, Any]:
        """The figures of this process, which are kept for the time when it has ended."""
        own = self._own_figures()
        self._app.peers.keep(own)
        return own

    async def _all_figures(self, exchange: Exchange) -> dict[str, Any]:
        if PEER in exchange.scope:
            return added([self.keep_figures()])
        peers = self._app.peers
        answers = await peers.ask_all("/figures")
        # Counters must not fall when a process has ended, or is too busy to answer in time.
        silent = [item for name, item in peers.kept().items() if name not in answers]
        return added([self.keep_figures(), *answers.values(), *map(counted, silent)])

    async def _figures(self, exchange: Exchange) -> None:
        await exchange.respond(200, _json(await self._all_figures(exchange)))

    async def _metrics(self, exchange: Exchange) -> None:
        text = metrics.exposition(await self._all_figures(exchange))
        await exchange.respond(200, text, metrics.CONTENT_TYPE.encode("ascii"))

    async def _interface(self, exchange: Exchange) -> None:
        await exchange.respond(200, _json(to_document(self._app.backend.interface, self._app.backend.name)))

    async def _openapi(self, exchange: Exchange) -> None:
        query = parse_qs(exchange.scope["query_string"].decode("latin-1"))
        form = JsonForm(query.get("bytes") == ["base64"], query.get("int64") == ["string"])
        backend, root = self._app.backend, mount_point(exchange.scope)
        key = backend.version, form, root
        if key not in self._documents:
            if len(self._documents) >= _DOCUMENTS:  # the rest is of versions before, or a mount point has many names
                self._documents.clear()
            document = describe(backend.functions.values(), backend.name, form, self._app.settings, root)
            self._documents[key] = _json(document)
        await exchange.respond(200, self._documents[key])

    async def _graph(self, exchange: Exchange) -> None:
        version = self._app.backend.version
        if self._picture[0] != version:
            text = await asyncio.to_thread(draw, self._app.settings.target)
            self._picture = version, text.encode()
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        await exchange.respond(200, self._picture[1], b"image/svg+xml", headers)

    async def instances(self, exchange: Exchange) -> None:
        """`/instances`: make one, or list all.

        Raises:
            ProblemError: there are too many, or the method is another one.
        """
        instances = self._app.instances
        if exchange.method == "POST":
            await exchange.body(0)
            made = await instances.make()
            place = f"{mount_point(exchange.scope)}/instances/{made['id']}"
            await exchange.respond(201, _json(made), headers={"Location": place})
        elif exchange.method in _READ:
            found = instances.listing()
            if PEER not in exchange.scope:
                for others in (await self._app.peers.ask_all("/instances")).values():
                    found.extend(others["instances"])
            await exchange.respond(200, _json({"instances": found}))
        else:
            text = "the methods of this resource are GET, HEAD, POST"
            raise ProblemError("method", text, headers={"Allow": "GET, HEAD, POST"})

    async def instance(self, exchange: Exchange, identifier: str) -> None:
        """`/instances/{id}`: describe one, or delete it.

        Raises:
            ProblemError: there is none.
        """
        if exchange.method == "DELETE":
            self._app.instances.delete(identifier)
            await exchange.respond(200, b'{"status":"deleted"}')
        else:
            await exchange.respond(200, _json(self._app.instances.describe(identifier)))


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")

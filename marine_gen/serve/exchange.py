"""One request and its response, over ASGI: the body with its limits, header fields, the client that goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from marine_gen.wire.problems import MEDIA_TYPE, RETRY, ProblemError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LARGE = 64 << 10
_SINGLE = frozenset({b"host", b"origin", b"authorization", b"content-length", b"content-type"})
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_OF_PAGES = (_NOSNIFF, (b"cache-control", b"no-store"), (b"cross-origin-resource-policy", b"same-origin"))
"""What answers have that a page could ask for; it can't ask for others by POST."""


class Exchange:
    """A request that waits for its response.

    Attributes:
        method: its method.
        headers: its header fields, names in lower case; of equal names the last one.
        identifier: what it is called in the log.
        status: the status of the response; 0 while there is none.
    """

    __slots__ = ("_guarded", "_receive", "_send", "_time", "headers", "identifier", "method", "scope", "status")

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, identifier: str, time: float, *, guarded: bool = False
    ) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = {}
        self.identifier, self._time, self._guarded, self.status = identifier, time, guarded, 0

    def read_headers(self) -> None:
        """Take the header fields.

        Raises:
            ProblemError: there are several where one is allowed.
        """
        found = self.headers
        for name, value in self.scope["headers"]:
            if name not in found:
                found[name] = value
            elif name in _SINGLE:
                raise ProblemError("request", f"the header field `{name.decode('latin-1')}` is there twice")
            else:
                found[name] += b"," + value

    def header(self, name: bytes) -> str:
        """One header field, or an empty text."""
        value = self.headers.get(name)
        return "" if value is None else value.decode("latin-1")

    async def body(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            ProblemError: it is larger than `limit`, or does not arrive in time.
            ConnectionError: the client went away.
        """
        announced = self.headers.get(b"content-length")
        if announced is not None and announced.isdigit() and int(announced[:20]) > limit:
            raise _too_large(limit)
        if self._guarded:  # the server closes connections whose bodies don't arrive
            return await self._read(limit)
        try:
            async with asyncio.timeout(self._time):
                return await self._read(limit)
        except TimeoutError:
            text = f"the body did not arrive within {self._time:g} s"
            raise ProblemError("slow", text, headers={"Connection": "close"}) from None

    async def _read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            part: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            if not parts and not more and len(part) <= limit:
                return part
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
            if not more:
                return b"".join(parts)

    async def gone(self) -> None:
        """Wait until the client goes away; call it when the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def respond(
        self,
        status: int,
        body: bytes,
        content_type: bytes = b"application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send the response. A client that does not take it in time loses its connection.

        Raises:
            ConnectionError: it did.
        """
        self.status = status
        fields = [
            (b"content-type", content_type),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"x-request-id", self.identifier.encode("ascii")),
        ]
        if headers:
            own = {name.lower().encode("ascii"): value.encode("latin-1") for name, value in headers.items()}
            fields += own.items()
            fields += [item for item in _OF_PAGES if item[0] not in own]
        elif self.method == "POST":
            fields.append(_NOSNIFF)
        else:
            fields += _OF_PAGES
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        content = {"type": "http.response.body", "body": b"" if self.method == "HEAD" else body}
        if self._guarded or len(body) < _LARGE:
            await self._send(content)
            return
        try:
            async with asyncio.timeout(self._time):
                await self._send(content)
        except TimeoutError:
            raise ConnectionError("the client does not take its response") from None

    async def fail(self, problem: ProblemError) -> None:
        """Answer by a problem document."""
        headers = dict(problem.headers)
        if problem.kind.code in RETRY:
            headers.setdefault("Retry-After", "1")
        text = json.dumps(problem.document(self.identifier))
        await self.respond(problem.kind.status, text.encode("ascii"), MEDIA_TYPE.encode("ascii"), headers or None)


def _too_large(limit: int) -> ProblemError:
    # What is left of the body would be taken for the next request's.
    return ProblemError("body-size", f"the body has more than {limit} bytes", headers={"Connection": "close"})

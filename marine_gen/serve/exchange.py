"""One request and its response, over ASGI: the body with its limits, header fields, the client that goes away."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from marine_gen.wire.problems import MEDIA_TYPE, RETRY, ProblemError, problem_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger("marine_gen.serve")

PROBLEM = MEDIA_TYPE.encode("ascii")
_IDENTIFIER = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LARGE = 64 << 10
_SINGLE = frozenset({b"host", b"origin", b"authorization", b"content-length", b"content-type"})
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_OF_PAGES = (_NOSNIFF, (b"cache-control", b"no-store"), (b"cross-origin-resource-policy", b"same-origin"))
"""Header fields of responses to GET, which pages of other origins could embed."""


class Room:
    """The memory that is left for request bodies, which take it as they arrive.

    Attributes:
        left: its bytes.
    """

    __slots__ = ("left",)

    def __init__(self, size: int) -> None:
        self.left = size


class Exchange:
    """A request that waits for its response.

    Attributes:
        method: its method.
        headers: its header fields, names in lower case; of equal names the last one.
        identifier: its name in the log.
        status: the status of the response; 0 while there is none.
    """

    __slots__ = (
        *("_guarded", "_held", "_receive", "_room", "_send", "_time"),
        *("headers", "identifier", "method", "scope", "status"),
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        identifier: str,
        time: float,
        room: Room,
        *,
        guarded: bool = False,
    ) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = {}
        self.identifier, self._time, self._guarded, self.status = identifier, time, guarded, 0
        self._room, self._held = room, 0

    def end(self) -> None:
        """Give the room for the body back."""
        self._room.left += self._held
        self._held = 0

    def read_headers(self) -> None:
        """Take the header fields.

        Raises:
            ProblemError: there are several where one is allowed.
        """
        self.headers = header_fields(self.scope["headers"])

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
            raise too_large(limit)
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
            size += len(part)
            if size > limit:
                raise too_large(limit)
            if size > _LARGE:
                self._hold(size)
            if not parts and not more:
                return part
            parts.append(part)
            if not more:
                return b"".join(parts)

    def _hold(self, size: int) -> None:
        """Take room for a body that has this size by now."""
        if size - self._held > self._room.left:
            text = "the server holds as many large bodies as its limit allows; try again later"
            raise ProblemError("busy", text, headers={"Connection": "close"})
        self._room.left -= size - self._held
        self._held = size

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
        fields = response_fields(self.method, self.identifier, body, content_type, headers)
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        content = {"type": "http.response.body", "body": b"" if self.method == "HEAD" else body}
        if self._guarded or len(body) < _LARGE:
            await self._send(content)
            return
        try:
            async with asyncio.timeout(self._time):
                await self._send(content)
        except TimeoutError:
            raise ConnectionError("the client does not read its response") from None

    async def fail(self, problem: ProblemError) -> None:
        """Answer by a problem document."""
        body, headers = problem_response(problem, self.identifier)
        await self.respond(problem.kind.status, body, PROBLEM, headers)


def header_fields(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Header fields by their names, which are in lower case; those that may be repeated are joined.

    Raises:
        ProblemError: there are several where one is allowed.
    """
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif name in _SINGLE:
            raise ProblemError("request", f"the header field `{name.decode('latin-1')}` occurs twice")
        else:
            found[name] += b"," + value
    return found


def refuse_compressed(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body that is not sent as it is.

    Raises:
        ProblemError: it is compressed.
    """
    if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
        text = "the body is compressed; send it as it is, without `Content-Encoding`"
        raise ProblemError("media-type", text, headers={"Accept-Encoding": "identity"})
    if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise ProblemError("request", "`Transfer-Encoding` can only be `chunked` here")


def identifier_of(headers: Mapping[bytes, bytes], own: str) -> str:
    """The name of a request in the log: the one that its client gave it, if that is harmless, or our own."""
    given = headers.get(b"x-request-id")
    return own if given is None or not _IDENTIFIER.fullmatch(given) else given.decode("ascii")


def response_fields(
    method: str, identifier: str, body: bytes, content_type: bytes, headers: Mapping[str, str] | None = None
) -> list[tuple[bytes, bytes]]:
    """The header fields of a response."""
    fields = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", identifier.encode("ascii")),
    ]
    if headers:
        own = {name.lower().encode("ascii"): value.encode("latin-1") for name, value in headers.items()}
        fields += own.items()
        fields += [item for item in _OF_PAGES if item[0] not in own]
    elif method == "POST":
        fields.append(_NOSNIFF)
    else:
        fields += _OF_PAGES
    return fields


def problem_response(problem: ProblemError, identifier: str) -> tuple[bytes, Mapping[str, str]]:
    """Body and additional header fields of the response to a failed request."""
    headers = dict(problem.headers)
    if problem.kind.code in RETRY:
        headers.setdefault("Retry-After", "1")
    return json.dumps(problem.document(identifier)).encode("ascii"), headers


def failure(error: Exception, identifier: str) -> ProblemError:
    """The problem that is sent to a client; the log gets the details that must not be sent."""
    problem = problem_of(error)
    if isinstance(error, ProblemError) or problem.kind.status != 500:
        return problem
    logger.error("request %s failed", identifier, exc_info=error)
    return ProblemError("internal", "the request failed; the log of the server says why")


def too_large(limit: int) -> ProblemError:
    """The problem of a body that has more than `limit` bytes."""
    # What is left of the body would be taken for the next request's.
    return ProblemError("body-size", f"the body has more than {limit} bytes", headers={"Connection": "close"})

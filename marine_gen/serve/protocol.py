"""HTTP connections with limits: heads that take too long or are too large, idle connections, too many of them.

uvicorn has a time limit between requests; it has none for a connection that never sends a whole head, and none for the
size of one. Both are cheap attacks, so this protocol adds them.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from marine_gen.serve.application import Application
from marine_gen.serve.calls import LARGE
from marine_gen.serve.direct import Fields
from marine_gen.serve.functions import Function
from marine_gen.serve.runner import ClientGoneError, StartedCall
from marine_gen.serve.settings import ServeLimits
from marine_gen.serve.transport import JoiningTransport
from marine_gen.serve.upgrades import feed
from marine_gen.wire.problems import MEDIA_TYPE, ProblemError

_SOON = 0.02
"""Seconds in which the body of a direct call follows its head; after that a task waits for it."""


class PendingCall:
    """The call that a connection waits for, instead of uvicorn's cycle of request and response.

    uvicorn looks at these attributes: requests that follow wait for the response, and the end of the server closes
    the connection behind it.
    """

    __slots__ = ("call", "disconnected", "keep_alive", "message_event", "more_body", "response_complete")

    response_started = False

    def __init__(self) -> None:
        self.call: StartedCall | None = None
        self.response_complete = self.disconnected = self.more_body = False
        self.keep_alive = True
        self.message_event = _NO_EVENT


class _NoEvent:
    """An event that nobody waits for."""

    def set(self) -> None:
        """See `asyncio.Event.set`."""


_NO_EVENT = _NoEvent()


class Connections:
    """The open connections of a process, and the limits of each.

    Attributes:
        limits: see `ServeLimits`.
        idle: those without a request, the one that has been idle longest first.
        unfinished: those whose request has not arrived as a whole, the one that has been waited for longest first.
    """

    def __init__(self, limits: ServeLimits) -> None:
        self.limits = limits
        self.idle: OrderedDict[LimitedProtocol, None] = OrderedDict()
        self.unfinished: OrderedDict[LimitedProtocol, None] = OrderedDict()
        self.open = 0
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""

    def default_lines(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """The header fields of every response; the server makes another list of them when the second changes."""
        if fields is not self._defaults:
            self._defaults = fields
            self._default_lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        return self._default_lines

    def make(self, **options: Any) -> LimitedProtocol:
        """A protocol for a new connection; uvicorn calls it."""
        return LimitedProtocol(self, **options)

    def crowded(self, newest: LimitedProtocol) -> None:
        """Close a connection if there are too many: one that is idle, or that has sent part of a request only."""
        if self.open <= self.limits.connections:
            return
        for others in (self.idle, self.unfinished):
            oldest = next((item for item in others if item is not newest), None)
            if oldest is not None:
                del others[oldest]
                oldest.abort()
                return
        newest.abort()


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, owner: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._owner = owner
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._head = self._heads = self._answered = self._unsent = 0
        self._calls = self.app.direct if isinstance(self.app, Application) else None
        self._function: Function | None = None
        self._body: list[bytes] = []
        self._pending: PendingCall | None = None
        self._fields: Fields = []
        self._idle_until = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; it has to send the head of a request soon."""
        super().connection_made(transport)
        self.transport = JoiningTransport(transport, self.loop)  # type: ignore[assignment]
        self._owner.open += 1
        self._expect_head()
        self._owner.crowded(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._owner.open -= 1
        self._owner.idle.pop(self, None)
        if self._function is not None:
            self._hand_over()  # the task counts and logs a request that was given up
        self._disarm()
        self._end_stall()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)
        pending, self._pending = self._pending, None
        if pending is not None and pending.call is not None:
            pending.call.give_up(ClientGoneError())

    def data_received(self, data: bytes) -> None:
        """Part of a request has arrived. Nothing is armed for one that has arrived as a whole."""
        before = self._heads, self._answered
        self._unset_keepalive_if_required()
        try:
            feed(self, data)
        except HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("")
            return
        if (self._heads, self._answered) != before:
            self._head = 0
            self._disarm()
            if self._function is not None:  # many clients send head and body apart, one right after the other
                self._owner.idle.pop(self, None)
                self._timer = self.loop.call_later(_SOON, self._hand_over)
                return
            if self._reads_head:
                return
            self._owner.idle.pop(self, None)
        elif self._function is not None:
            if sum(map(len, self._body)) > LARGE:
                self._hand_over()
            return
        elif self._reads_head:
            self._head += len(data)
            if self._timer is None:  # between two requests uvicorn's own time limit holds
                self._expect_head()
            if self._head > self._owner.limits.header_size and not self.transport.is_closing():
                self._refuse(ProblemError("headers", f"the head has more than {self._owner.limits.header_size} bytes"))
            return
        if not self.cycle.more_body:
            self._disarm()
        elif self._timer is None and not self.cycle.response_complete:
            self._expect_body()

    def on_message_begin(self) -> None:
        """A request begins. A direct call needs nothing of what uvicorn makes for an application."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """The head of a request has arrived. Whether its call is answered directly is known when its body has, too."""
        if self.parser.should_upgrade():
            return  # `feed` reads it once more
        self._heads += 1
        self._fields, self.headers = self.headers, []  # trailers are no part of the head
        self._function = self._direct()
        if self._function is None:
            self._start_task()

    def _start_task(self) -> None:
        """Let a task answer the request whose head has arrived."""
        url, expects = self.url, self.expect_100_continue
        super().on_message_begin()
        self.headers.extend(self._fields)  # they are those of the scope
        self.url, self.headers, self.expect_100_continue = url, [], expects
        super().on_headers_complete()

    def _direct(self) -> Function | None:
        """The function that a request calls, if it can be answered without a task."""
        parser = self.parser
        if (
            self._calls is None
            or not self._reads_head  # an earlier request waits for its response
            or self.flow.write_paused  # responses would pile up
            or self.expect_100_continue
            or parser.get_method() != b"POST"
            or not parser.should_keep_alive()
        ):
            return None
        return self._calls.function(self.url)

    def _hand_over(self) -> None:
        """Let a task wait for the rest of a body."""
        self._disarm()
        body, self._body, self._function = b"".join(self._body), [], None
        self._start_task()
        if body:
            super().on_body(body)
        self._expect_body()

    def _expect_body(self) -> None:
        self._owner.unfinished[self] = None
        self._timer = self.loop.call_later(self._owner.limits.body_time, self._late)

    def shutdown(self) -> None:
        """The server ends; a request that has begun to arrive gets its answer."""
        if self._function is not None:
            self._hand_over()
        super().shutdown()

    def on_body(self, body: bytes) -> None:
        """Part of a body has arrived."""
        if self._function is None:
            super().on_body(body)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A request has arrived as a whole."""
        if self.parser.should_upgrade():
            return
        if self._function is None or self._calls is None:
            super().on_message_complete()
            return
        body = b"".join(self._body)
        if len(body) > LARGE:  # its conversion takes too long for the event loop
            self._hand_over()
            super().on_message_complete()
            return
        self._answered += 1
        function, self._function, self._body = self._function, None, []
        client = self.client[0] if self.client else "-"
        pending = self.cycle = self._pending = PendingCall()  # type: ignore[assignment]

        def respond(status: int, fields: Fields, content: bytes) -> None:
            self._respond(pending, status, fields, content)

        pending.call = self._calls.answer(function, self.url, self._fields, body, client, respond)

    def _respond(self, pending: PendingCall, status: int, fields: Fields, content: bytes) -> None:
        """Send the response of a direct call, unless the connection was lost."""
        pending.response_complete, pending.call = True, None
        if self._pending is not pending:
            return
        self._pending = None
        head = [STATUS_LINE[status], self._owner.default_lines(self.server_state.default_headers)]
        head += [b"%b: %b\r\n" % field for field in fields]
        closes = any(name == b"connection" for name, _ in fields)
        if not pending.keep_alive and not closes:
            closes = True
            head.append(b"connection: close\r\n")
        self.transport.writelines([b"".join((*head, b"\r\n", content))])
        if closes:
            self.transport.close()
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._owner.idle[self] = None
        self.flow.resume_reading()
        # uvicorn makes and cancels a timer for each response.
        self._idle_until = self.loop.time() + self.timeout_keep_alive
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_at(self._idle_until, self._check_idle)

    def _check_idle(self) -> None:
        """Close a connection that has had no request since its last direct call, for as long as it may."""
        self._idle_timer = None
        if self._head or not self._reads_head or self not in self._owner.idle:
            return  # what it waits for has limits of its own
        if self.loop.time() < self._idle_until:
            self._idle_timer = self.loop.call_at(self._idle_until, self._check_idle)
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_handler()

    def on_response_complete(self) -> None:
        """A response was sent."""
        super().on_response_complete()
        if self._reads_head:
            self._owner.idle[self] = None

    @property
    def _reads_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        self._owner.idle[self] = None
        self._owner.idle.move_to_end(self)
        self._timer = self.loop.call_later(self._owner.limits.header_time, self.abort)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._owner.unfinished.pop(self, None)

    def pause_writing(self) -> None:
        """The client does not take its response as fast as it is sent."""
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(self._owner.limits.body_time, self._check_progress)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._end_stall()

    def _check_progress(self) -> None:
        """Close the connection of a client that has taken nothing for long."""
        left = self.transport.get_write_buffer_size()
        if left >= self._unsent:
            self.abort()
            return
        self._unsent = left
        self._stalled = self.loop.call_later(self._owner.limits.body_time, self._check_progress)

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _late(self) -> None:
        """The body has not arrived in time."""
        self._timer = None
        if not self._reads_head and not self.cycle.response_started:
            self._refuse(ProblemError("slow", f"the body did not arrive within {self._owner.limits.body_time:g} s"))
        self.abort_soon()

    def abort_soon(self) -> None:
        """Close the connection, after a moment for what is to be sent."""
        self.loop.call_later(1.0, self.abort)

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed HTTP request by a problem document, like every other failure."""
        self._refuse(ProblemError("request", "this is not a request of HTTP/1.1"))

    def abort(self) -> None:
        """Close the connection without waiting for the client."""
        if self.transport is not None:
            self.transport.abort()

    def _refuse(self, problem: ProblemError) -> None:
        body = json.dumps(problem.document()).encode("ascii")
        kind = problem.kind
        head = (
            f"HTTP/1.1 {kind.status} {kind.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

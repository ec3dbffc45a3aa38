"""Inline calls that are answered as soon as their request has arrived, without a task of the event loop for each.

A function that runs on the event loop has nothing to wait for. Making a task, and passing its body and its response
through ASGI, would take as long as the call.
"""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

from marine_gen.serve import logs
from marine_gen.serve.backend import Backend
from marine_gen.serve.calls import Calls
from marine_gen.serve.exchange import (
    PROBLEM,
    failure,
    header_fields,
    identifier_of,
    problem_response,
    response_fields,
)
from marine_gen.serve.figures import Figures
from marine_gen.serve.functions import Function
from marine_gen.serve.guards import RequestGuard

Fields = list[tuple[bytes, bytes]]


class CallParts(Protocol):
    """The parts of an application that a call needs; see `Application`."""

    backend: Backend
    calls: Calls
    figures: Figures
    guard: RequestGuard

    def known(self, raw: bytes) -> Function | None:
        """See `Application.known`."""

    def next_identifier(self) -> str:
        """See `Application.next_identifier`."""


class DirectCalls:
    """Answers requests for functions that run on the event loop.

    Args:
        app: the application that the requests are addressed to.
        access_log: whether to log every request.
    """

    def __init__(self, app: CallParts, *, access_log: bool) -> None:
        self._app, self._access_log = app, access_log

    def function(self, raw: bytes) -> Function | None:
        """The function that a `POST` to this path calls; None unless it runs on the event loop."""
        function = self._app.known(raw)
        return function if function is not None and self._app.backend.runs_inline(function) else None

    def answer(
        self, function: Function, raw: bytes, headers: Fields, body: bytes, client: str
    ) -> tuple[int, Fields, bytes]:
        """Run the call that a request asks for: status, header fields and body of the response."""
        app = self._app
        identifier, started, status = app.next_identifier(), perf_counter(), 200
        try:
            found = header_fields(headers)
            identifier = identifier_of(found, identifier)
            app.guard.check("POST", found)
            app.guard.authenticate(found)
            content, kind = app.calls.call_inline(found, function, body, app.backend.call_inline)
            fields = response_fields("POST", identifier, content, kind)
        except Exception as error:
            problem = failure(error, identifier)
            content, more = problem_response(problem, identifier)
            status, fields = problem.kind.status, response_fields("POST", identifier, content, PROBLEM, more)
        app.figures.response(status)
        if self._access_log:
            seconds = perf_counter() - started
            logs.log_access(client, "POST", raw.decode("latin-1"), status, seconds, identifier)
        return status, fields, content

"""Calls whose whole request has arrived, made without a task of the event loop for each.

Making a task, and passing a body and a response through ASGI, would take as long as a short call. A function that runs
on the event loop is answered at once. One that runs on a thread is answered when its result is there; meanwhile the
connection keeps a `StartedCall`.
"""

from __future__ import annotations

from collections.abc import Callable
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
from marine_gen.serve.runner import ClientGoneError, StartedCall
from marine_gen.wire.problems import ProblemError

Fields = list[tuple[bytes, bytes]]

Respond = Callable[[int, Fields, bytes], None]
"""Sends status, header fields and body."""


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
    """Answers requests for calls.

    Args:
        app: the application that the requests are addressed to.
        access_log: whether to log every request.
    """

    def __init__(self, app: CallParts, *, access_log: bool) -> None:
        self._app, self._access_log = app, access_log
        self._started: set[StartedCall] = set()

    def function(self, raw: bytes) -> Function | None:
        """The function that a `POST` to this path calls; None unless it is one that can be called without a task."""
        function = self._app.known(raw)
        if function is None or (self._app.calls.traced and not self._app.backend.runs_inline(function)):
            return None
        return function

    def answer(
        self, function: Function, raw: bytes, headers: Fields, body: bytes, client: str, respond: Respond
    ) -> StartedCall | None:
        """Make the call that a request asks for; `respond` is called once.

        Returns:
            The call, when it runs on a thread. Giving it up as `ClientGoneError` answers nobody.
        """
        app = self._app
        identifier, began = app.next_identifier(), perf_counter()
        call: StartedCall | None = None

        def ended(outcome: tuple[bytes, bytes] | Exception) -> None:
            if call is not None:
                self._started.discard(call)
            if isinstance(outcome, ClientGoneError):
                status = 499
            elif isinstance(outcome, Exception):
                problem = failure(outcome, identifier)
                content, more = problem_response(problem, identifier)
                status = problem.kind.status
                respond(status, response_fields("POST", identifier, content, PROBLEM, more), content)
            else:
                content, kind = outcome
                status = 200
                respond(status, response_fields("POST", identifier, content, kind), content)
            app.figures.response(status)
            if self._access_log:
                seconds = perf_counter() - began
                logs.log_access(client, "POST", raw.decode("latin-1"), status, seconds, identifier)

        try:
            found = header_fields(headers)
            identifier = identifier_of(found, identifier)
            app.guard.check("POST", found)
            app.guard.authenticate(found)
            function = app.backend.current(function)  # the body came after the head, a reload perhaps between
            if not app.backend.runs_inline(function):
                call = app.calls.start(found, function, body, app.backend.start, ended)
                self._started.add(call)
                return call
            outcome: tuple[bytes, bytes] | Exception = app.calls.call_inline(
                found, function, body, app.backend.call_inline
            )
        except Exception as error:
            outcome = error
        ended(outcome)
        return None

    def close(self) -> None:
        """Give up the remaining calls, and answer their clients."""
        for call in list(self._started):
            call.give_up(ProblemError("closing", "the server is closing, and the call did not end"))

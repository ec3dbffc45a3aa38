"""Calls: from the body of a request to the body of its response."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from time import perf_counter
from typing import Any, Protocol, TypeVar

from marine_gen.serve.exchange import Exchange, refuse_compressed, too_large
from marine_gen.serve.figures import OK, Figures
from marine_gen.serve.functions import Function, read_json
from marine_gen.serve.negotiation import JSON, OCTETS, Agreement, Wanted, agree, body_form, wanted
from marine_gen.serve.parameters import OptionsReader
from marine_gen.serve.runner import ClientGoneError, Gone, Options, StartedCall
from marine_gen.serve.settings import Settings
from marine_gen.serve.spans import Spans
from marine_gen.wire.forms import JsonForm
from marine_gen.wire.problems import ProblemError, problem_of

logger = logging.getLogger("marine_gen.serve")

_AT_ONCE = 64
"""Calls of one batch that wait for a thread at a time: others want room in the queue too."""


LARGE = 32 << 10
"""Bytes of a body, or elements of a result, whose conversion would block the event loop for too long."""

T = TypeVar("T")

_OCTETS = OCTETS.encode("ascii")


class Runner(Protocol):
    """Runs calls: all copies of the service, or one instance."""

    def current(self, function: Function) -> Function:
        """See `Backend.current`."""

    async def call(self, function: Function, args: list[Any], options: Options, gone: Gone | None = None) -> Any:
        """See `Backend.call`."""


class Calls:
    """Answers requests for calls."""

    def __init__(self, settings: Settings, figures: Figures) -> None:
        self._limits, self._figures = settings.limits, figures
        self._options = OptionsReader(settings)
        self._spans = Spans()
        # One thread: large documents take turns, as each takes many times its size of memory.
        self._converter = _converter()
        self._converting: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End the thread that converts large bodies."""
        self._converter.shutdown(wait=False, cancel_futures=True)
        self._converter = _converter()  # it starts no thread until it is needed

    async def call(self, exchange: Exchange, function: Function, runner: Runner) -> None:
        """Run the call that a request asks for, and answer it.

        Raises:
            ProblemError: the call was not made, or failed.
            ClientGoneError, ConnectionError: there is no one to answer.
        """
        headers = exchange.headers
        refuse_compressed(headers)
        options, agreed = self._options.read(headers), _agreed(function, headers)
        body = await exchange.body(self._limits.body)
        found = runner.current(function)
        if found is not function:
            function, agreed = found, _agreed(found, headers)
        args = await self._converted(function, len(body), self._arguments, function, body, agreed)
        value = await self._run(headers, function, runner, args, options, exchange.gone)
        response = await self._converted(function, _extent(value), _result, function, value, agreed)
        await exchange.respond(200, *response)

    def call_inline(
        self,
        headers: Mapping[bytes, bytes],
        function: Function,
        body: bytes,
        run: Callable[[Function, list[Any], Options], Any],
    ) -> tuple[bytes, bytes]:
        """The same on the event loop, without waiting for anything: the body of the response, and its media type.

        Raises:
            ProblemError: the call was not made, or failed.
        """
        options, agreed, args = self._read(headers, function, body)
        started = perf_counter()
        try:
            with self._spans.call(function, headers):
                value = run(function, args, options)
        except BaseException as error:  # of a host function, perhaps: it must not end the server
            problem = _told(function, error)
            self._figures.call(function.module, function.name, problem.kind.code, perf_counter() - started)
            raise problem from error
        self._figures.call(function.module, function.name, OK, perf_counter() - started)
        try:
            return _result(function, value, agreed)
        except Exception as error:
            raise self._refused(function, error) from error

    @property
    def traced(self) -> bool:
        """True if calls are spans, which belong to the task that makes the call."""
        return self._spans.watched

    def start(
        self,
        headers: Mapping[bytes, bytes],
        function: Function,
        body: bytes,
        run: Callable[[Function, list[Any], Options, Callable[[StartedCall], None]], StartedCall],
        ended: Callable[[tuple[bytes, bytes] | Exception], None],
    ) -> StartedCall:
        """The same on a thread: `ended` is told, later, the body and its media type, or why there are none.

        Raises:
            ProblemError: the call was not made.
        """
        options, agreed, args = self._read(headers, function, body)
        figures, started = self._figures, perf_counter()

        def over(call: StartedCall) -> None:
            figures.running -= 1
            code = OK
            try:
                value = call.result()
                if _extent(value) < LARGE or agreed.octets:
                    ended(_result(function, value, agreed))
                else:
                    self._convert_later(function, value, agreed, ended)
            except ClientGoneError as error:
                code = "cancelled"
                figures.cancelled += 1
                ended(error)
            except BaseException as error:
                problem = _told(function, error)
                code = problem.kind.code
                ended(problem)
            figures.call(function.module, function.name, code, perf_counter() - started)

        try:
            call = run(function, args, options, over)
        except Exception as error:
            problem = _told(function, error)
            figures.call(function.module, function.name, problem.kind.code, perf_counter() - started)
            raise problem from error
        figures.running += 1
        return call

    def _convert_later(
        self,
        function: Function,
        value: Any,
        agreed: Agreement,
        ended: Callable[[tuple[bytes, bytes] | Exception], None],
    ) -> None:
        """Tell `ended` the body that a large result becomes."""

        async def convert() -> None:
            try:
                response = await self._converted(function, LARGE, _result, function, value, agreed)
            except Exception as problem:
                ended(problem)
            else:
                ended(response)

        task = asyncio.get_running_loop().create_task(convert())
        self._converting.add(task)
        task.add_done_callback(self._converting.discard)

    def _read(
        self, headers: Mapping[bytes, bytes], function: Function, body: bytes
    ) -> tuple[Options, Agreement, list[Any]]:
        """Options, forms and arguments of a call whose body is there.

        Raises:
            ProblemError: one of them is wrong.
        """
        refuse_compressed(headers)
        options, agreed = self._options.read(headers), _agreed(function, headers)
        if len(body) > self._limits.body:
            raise too_large(self._limits.body)
        try:
            return options, agreed, self._arguments(function, body, agreed)
        except Exception as error:
            raise self._refused(function, error) from error

    def _arguments(self, function: Function, body: bytes, agreed: Agreement) -> list[Any]:
        """The arguments that a body represents."""
        if agreed.form is None:
            if not function.octets_in:
                raise ProblemError("media-type", f"`{function.key}` does not take one byte array, so send {JSON}")
            return [body]
        if body and not agreed.declared:
            body_form("")  # says what is wrong
        return function.arguments(body, agreed.form, self._limits)

    async def _off_loop(self, size: int, convert: Callable[..., T], *given: Any) -> T:
        """The result of `convert`, which runs on a thread of its own when its input is large."""
        if size < LARGE:
            return convert(*given)
        return await asyncio.get_running_loop().run_in_executor(self._converter, partial(convert, *given))

    async def _converted(self, function: Function, size: int, convert: Callable[..., T], *given: Any) -> T:
        """The same for arguments and results, whose failures are counted."""
        try:
            return await self._off_loop(size, convert, *given)
        except Exception as error:
            raise self._refused(function, error) from error

    def _refused(self, function: Function, error: Exception) -> ProblemError:
        """Count a call whose arguments or result can't be converted."""
        problem = problem_of(error)
        self._figures.call(function.module, function.name, problem.kind.code, 0.0)
        return problem

    async def _run(
        self,
        headers: Mapping[bytes, bytes],
        function: Function,
        runner: Runner,
        args: list[Any],
        options: Options,
        gone: Gone | None,
    ) -> Any:
        """The result of a call, counted and logged.

        Raises:
            ProblemError: it failed. ClientGoneError: its client has gone.
        """
        figures, started, code = self._figures, perf_counter(), OK
        figures.running += 1
        try:
            with self._spans.call(function, headers):
                return await runner.call(function, args, options, gone)
        except (ClientGoneError, asyncio.CancelledError):
            code = "cancelled"
            figures.cancelled += 1
            raise
        except BaseException as error:
            problem = _told(function, error)
            code = problem.kind.code
            raise problem from error
        finally:
            figures.running -= 1
            figures.call(function.module, function.name, code, perf_counter() - started)

    async def batch(self, exchange: Exchange, find: Callable[[str, str], Function], runner: Runner) -> None:
        """Run many calls, and answer with an array of results and problems in their order.

        Raises:
            ProblemError: the body is not a batch. ClientGoneError, ConnectionError: there is no one to answer.
        """
        refuse_compressed(exchange.headers)
        options = self._options.read(exchange.headers)
        form = body_form(exchange.header(b"content-type"))
        if form is None:
            raise ProblemError("media-type", f"a batch is {JSON}")
        accept = wanted(exchange.header(b"accept"), form)
        if not accept.json:
            raise ProblemError("not-acceptable", f"the results of a batch are {JSON}")
        body = await exchange.body(self._limits.body)
        size = len(body)
        document = await self._off_loop(size, read_json, body, self._limits)
        if not isinstance(document, list):
            raise ProblemError("request", "a batch is an array of objects with `module`, `function` and `arguments`")
        if len(document) > self._limits.batch:
            raise ProblemError("request", f"a batch has at most {self._limits.batch} calls, not {len(document)}")
        turns = asyncio.Semaphore(max(1, min(_AT_ONCE, self._limits.queue // 2)))

        async def one(item: Any) -> str:
            async with turns:
                return await self._item(item, size, form, accept, find, runner, options, exchange.headers)

        texts = await _unless_gone([asyncio.ensure_future(one(item)) for item in document], exchange.gone)
        await exchange.respond(200, f"[{','.join(texts)}]".encode(), _media_type(accept.form))

    async def _item(
        self,
        item: Any,
        size: int,
        form: JsonForm,
        accept: Wanted,
        find: Callable[[str, str], Function],
        runner: Runner,
        options: Options,
        headers: Mapping[bytes, bytes],
    ) -> str:
        """The outcome of one call of a batch of some size, as JSON."""
        try:
            if not isinstance(item, dict) or not item.keys() <= {"module", "function", "arguments"}:
                raise ProblemError("request", "a call is an object with `module`, `function` and `arguments`")
            names = item.get("module"), item.get("function")
            if not isinstance(names[0], str) or not isinstance(names[1], str):
                raise ProblemError("request", "`module` and `function` are strings")
            function = find(names[0], names[1])
            given = item.get("arguments")
            args = await self._converted(function, size, function.arguments_of, given, form)
            value = await self._run(headers, function, runner, args, options, None)
            text = await self._converted(function, _extent(value), function.result, value, accept.form)
            return f'{{"result":{text}}}'
        except ProblemError as problem:
            return json.dumps({"problem": problem.document()})


def _converter() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "serve-convert")


def _told(function: Function, error: BaseException) -> ProblemError:
    """The problem that a client is told when a call fails; the log of the server says more."""
    problem = problem_of(error)
    if problem.kind.status >= 500:
        unexpected = problem.kind.code in ("internal", "host-function")
        # The text, not the error: a handler that keeps records would keep the instance behind its traceback, too.
        logger.warning(
            "call of %s failed: %s",
            function.key,
            str(error),
            exc_info=error if unexpected else None,
            extra={"call": function.key, "code": problem.kind.code},
        )
    return problem


def _agreed(function: Function, headers: Mapping[bytes, bytes]) -> Agreement:
    return agree(headers.get(b"content-type"), headers.get(b"accept", b""), function.octets_out)


def _result(function: Function, value: Any, agreed: Agreement) -> tuple[bytes, bytes]:
    """The body that a result becomes, and its media type."""
    if agreed.octets:
        return value, _OCTETS
    return function.result(value, agreed.accepted).encode(), _media_type(agreed.accepted)


def _extent(value: Any) -> int:
    """About how much there is to write of a result."""
    return len(value) if isinstance(value, (bytes, str, list, tuple)) else 0


@cache
def _media_type(form: JsonForm) -> bytes:
    return form.media_type.encode("ascii")


async def _unless_gone(tasks: list[asyncio.Task[str]], gone: Callable[[], Awaitable[None]]) -> list[str]:
    """The results of all tasks, which end when the client goes away.

    Raises:
        ClientGoneError: it did.
    """
    if not tasks:
        return []
    together, leaving = asyncio.gather(*tasks), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((together, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not together.done():
            raise ClientGoneError
        return together.result()
    finally:
        together.cancel()
        leaving.cancel()
        await asyncio.wait(tasks)

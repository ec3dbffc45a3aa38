"""The program of a worker process: load an instance, run messages from the pipe, until the pipe closes.

The parent sends the setup, the child answers `ready` with the interface, or `failed` with the error. Then messages and
answers take turns; after an answer with `poisoned` set, the child replaces its instance and says `ready` again. The
jobs of a message that had not begun then are left to the parent.

While a message takes long, the parent asks for the outcomes so far through a second pipe: a call that hangs, or kills
the process, must not take the outcomes of others along.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection

from marine_runtime.lazy.typing import Any
from marine_runtime.pool.instance import PoolInstance, Setup
from marine_runtime.pool.job import Reply
from marine_runtime.pool.progress import Progress
from marine_runtime.pool.wire import Answer, pack_answer, pack_error, unpack_message
from marine_runtime.wasm.native import monotonic, new_lock, start_thread

KEPT = 0.005
"""Seconds of calls whose outcomes are kept to be sent together; they are lost when the process dies."""


def serve(connection: Connection, questions: Connection, progress: Progress) -> None:
    """Run until the parent closes its ends, or is gone."""
    # Ctrl-C goes to the whole process group, but it is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_thread(_follow)
    outcomes = _Outcomes(connection)
    start_thread(_answer, questions, outcomes)
    try:
        _serve(connection, outcomes, progress)
    except (EOFError, OSError):
        pass  # the parent has closed its end
    finally:
        connection.close()


class _Outcomes:
    """Outcomes of the message that runs, which the parent does not have yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, new_lock()
        self._number: int | None = None
        self._replies: list[tuple[int, Reply]] = []
        self._since = 0.0

    def start(self, number: int) -> None:
        """Another message runs."""
        with self._lock:
            self._number, self._since = number, monotonic()

    def add(self, position: int, reply: Reply) -> None:
        """Keep the outcome of a job, and send those that were kept for a while."""
        with self._lock:
            self._replies.append((position, reply))
            if not reply.poisoned and monotonic() - self._since > KEPT:
                self._send_early()

    def send(self, *, poisoned: bool) -> None:
        """Send what is left of the message, which has ended."""
        with self._lock:
            self._number = None
            replies, self._replies = self._replies, []
            self._connection.send_bytes(pack_answer(Answer(replies, poisoned)))

    def send_early(self, number: int) -> None:
        """Send the outcomes so far of a message, if it runs still."""
        with self._lock:
            if number == self._number and self._replies:
                self._send_early()

    def _send_early(self) -> None:
        replies, self._replies = self._replies, []
        self._connection.send_bytes(pack_answer(Answer(replies, last=False)))
        self._since = monotonic()


def _answer(questions: Connection, outcomes: _Outcomes) -> None:
    """Send outcomes whenever the parent asks."""
    with suppress(EOFError, OSError):
        while True:
            outcomes.send_early(pickle.loads(questions.recv_bytes()))  # noqa: S301  # from our own parent


def _follow() -> None:
    """End with the parent, however it ends and whatever a guest is doing here."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _serve(connection: Connection, outcomes: _Outcomes, progress: Progress) -> None:
    def make() -> PoolInstance:
        setup: Setup = pickle.loads(connection.recv_bytes())  # noqa: S301  # from our own parent
        return PoolInstance(setup)

    instance: PoolInstance | None = _attempt(connection, make)
    if instance is None:
        return
    try:
        while True:
            number, requests = unpack_message(connection.recv_bytes())
            outcomes.start(number)
            poisoned = instance.run_message(requests, progress.begin, outcomes.add)
            outcomes.send(poisoned=poisoned)
            if poisoned and _attempt(connection, instance.replace) is None:
                return
    finally:
        instance.close()


def _attempt(connection: Connection, make: Callable[[], PoolInstance]) -> PoolInstance | None:
    """Make an instance and say how it went; None when it failed."""
    message: tuple[str, Any]
    try:
        instance: PoolInstance | None = make()
        assert instance
        message = "ready", instance.interface
    except EOFError:
        raise
    except BaseException as error:
        instance, message = None, ("failed", pack_error(error))
    connection.send_bytes(pickle.dumps(message))
    return instance

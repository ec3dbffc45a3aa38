"""Workers that are processes: a thread here for each of them, which sends requests and waits for replies.

Processes are spawned, never forked: threads, locks and Wasm engines of the parent do not survive a fork. A process
that runs out of time is killed, one that dies fails the call it was running, and both are replaced. The end of a
process is seen as the end of its pipe.
"""

from __future__ import annotations

import atexit
import multiprocessing.process
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from errno import EFBIG, EMFILE, ENFILE, ENOMEM
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Lock
from weakref import WeakSet

from marine_runtime.lazy.forks import begin_in_child, notice
from marine_runtime.lazy.typing import Any
from marine_runtime.pool import interpreter
from marine_runtime.pool.child import serve
from marine_runtime.pool.errors import PoolError, WorkerDiedError
from marine_runtime.pool.job import Job
from marine_runtime.pool.message import BegunCalls, Message
from marine_runtime.pool.message_worker import BrokenError, MessageWorker
from marine_runtime.pool.progress import Progress
from marine_runtime.pool.wire import Answer, pack_message, unpack_answer, unpack_error
from marine_runtime.pool.worker import Workers, closed_too_early, stop_replacing
from marine_runtime.service.interface import Interface
from marine_runtime.texts.messages import refusal
from marine_runtime.wasm.native import has_greenlets, monotonic

_JOIN = 5.0
_DAEMONIC = "give `daemon=False` to the process that makes the pool, or use a pool of threads"

_NO_FILE = (EMFILE, ENFILE, EFBIG, ENOMEM)  # limits of the process, which say what is the matter

# `multiprocessing` looks after the children of all threads whenever one of them starts another.
_family = Lock()
_started: WeakSet[SpawnProcess] = WeakSet()


class ProcessWorker(MessageWorker):
    """A process with its own instance, and the thread that communicates with it."""

    target, held = 0.016, 0.04

    def __init__(self, workers: Workers, number: int) -> None:
        super().__init__(workers, number)
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._questions: Connection | None = None
        self._progress: Progress  # of the process

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        process = self._process
        return process.pid if process else None

    def _calls(self) -> BegunCalls:
        self._progress.reset()
        return self._progress

    def _send(self, message: Message) -> None:
        try:
            self._pipe().send_bytes(pack_message(message.number, message.jobs))
        except OSError:
            raise BrokenError(self._died()) from None

    def _receive(self, message: Message, wait: float | None) -> Answer | None:
        try:
            connection = self._pipe()
            # Greenlets of others may run while this one polls, where `gevent` made it one.
            if (wait is not None or has_greenlets()) and not connection.poll(wait):
                return None
            data = connection.recv_bytes()
        except (EOFError, OSError):
            raise BrokenError(self._died()) from None
        try:
            return unpack_answer(data)
        except Exception as error:
            raise BrokenError(partial(_unreadable, error)) from None

    def _hold(self, message: Message) -> None:
        message.give_back(self.workers.jobs)
        if message.left and self._questions is not None:
            try:
                self._questions.send_bytes(pickle.dumps(message.number))
            except OSError:
                raise BrokenError(self._died()) from None

    def _begun_at(self) -> float | None:
        return self._progress.time()

    def _pipe(self) -> Connection:
        if self._connection is None:
            raise BrokenPipeError
        return self._connection

    def _died(self) -> Callable[[Job | None], BaseException]:
        """The error that says how the process ended, for each job."""
        if self.workers.closing:
            return closed_too_early
        process = self._process
        code = None
        if process is not None:
            with _family, suppress(ValueError):
                process.join(_JOIN)
                code = process.exitcode
        if code is None:
            how = "ended"
        else:
            how = f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"
        number = process.pid if process else None

        def error(job: Job | None) -> BaseException:
            when = f"while it ran {job}" if job else f"while it was started{_hint(code)}"
            return WorkerDiedError(f"worker process {number} {how} {when}")

        return error

    def _open(self) -> Interface:
        self._spawn()
        return self._ready()

    def _replace(self) -> bool:
        try:
            self._ready()
        except BaseException:
            return False  # it ends, and another process may have more luck
        return True

    def _spawn(self) -> None:
        """Start the process.

        Raises:
            PoolError: the system or `multiprocessing` refuses that.
        """
        if (program := _missing_program()) is not None:
            raise PoolError(
                f"a worker process can't be started: it imports the program, and there is no file `{program}`; "
                "save the program as a file, or use a pool of threads"
            )
        if (problem := interpreter.problem()) is not None:
            raise PoolError(f"a worker process can't be started: {problem}")
        try:
            self._start_process()
        except OSError as error:
            raise PoolError(f"a worker process can't be started: {_refused(error)}") from error
        except AssertionError as error:
            raise PoolError(f"a worker process can't be started: {error}; {_DAEMONIC}") from error

    def _start_process(self) -> None:
        context = get_context("spawn")
        try:
            progress = Progress(context)
        except (OSError, ImportError) as error:
            if getattr(error, "errno", None) in _NO_FILE or isinstance(error, BrokenPipeError):
                raise
            raise PoolError(
                "a worker process can't be started: it needs a semaphore and shared memory, and the system refuses "
                f"them ({error}); make room in /dev/shm, where Linux has them, or use a pool of threads"
            ) from error
        ours, theirs = _blocking(context.Pipe())
        receiver, sender = _blocking(context.Pipe(duplex=False))
        try:
            process = context.Process(
                target=serve, args=(theirs, receiver, progress), name=self.thread.name, daemon=True
            )
            with _family, interpreter.start_method_left_open():
                process.start()
                _started.add(process)
        except BaseException:
            ours.close()
            sender.close()
            raise
        finally:
            theirs.close()
            receiver.close()
        self._process, self._connection, self._questions, self._progress = process, ours, sender, progress
        if self.workers.closing:  # `stop` may have come too early to see the process
            process.kill()
        with suppress(OSError):
            ours.send_bytes(self.workers.payload)

    def _ready(self) -> Interface:
        """Wait for the process to have an instance; raises why it has none."""
        limit = self.workers.start_timeout
        try:
            connection = self._pipe()
            if not connection.poll(limit):
                raise PoolError(f"an instance was not loaded within {limit:g} s")
            what, content = pickle.loads(connection.recv_bytes())  # noqa: S301  # from our own child
        except (EOFError, OSError):
            raise self._died()(None) from None
        if what == "ready":
            interface: Interface = content
            return interface
        raise unpack_error(content)

    def _release(self) -> None:
        self._progress.end()

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            with suppress(ValueError, OSError):
                process.kill()

    def _end(self) -> None:
        """End the process and free what belongs to it. An idle process ends by itself when its pipe closes."""
        process, pipes = self._process, (self._connection, self._questions)
        self._process = self._connection = self._questions = None
        for pipe in pipes:
            if pipe is not None:
                pipe.close()
        if process is None:
            return
        if self.running:  # calls that nobody waits for
            process.kill()
        deadline = monotonic() + _JOIN
        process.join(1)
        with _family:
            if process.is_alive():
                process.kill()
            # It is not closed, which the garbage collector does: `multiprocessing` may be about to join it at exit.
            process.join(max(0.1, deadline - monotonic()))


def _at_exit() -> None:
    notice()
    stop_replacing()


atexit.register(_at_exit)  # comes before what `multiprocessing`, imported above, ends its processes with


def _forget_in_child() -> None:
    """In a forked process: at its end, `multiprocessing` would end the workers of its parent."""
    global _family
    _family = Lock()  # another thread may have held it
    children: set[Any] = getattr(multiprocessing.process, "_children", set())
    for process in list(_started):
        children.discard(process)
    _started.clear()


begin_in_child(_forget_in_child)


def _missing_program() -> str | None:
    """The file that a worker would import as the program, when there is none: it came from standard input, perhaps."""
    main = sys.modules.get("__main__")
    place = getattr(main, "__file__", None)
    if place is None or getattr(main, "__spec__", None) is not None or getattr(sys, "frozen", False):
        return None
    start = getattr(multiprocessing.process, "ORIGINAL_DIR", None) or ""
    return None if os.path.exists(os.path.join(start, place)) else place


def _blocking(ends: tuple[Connection, Connection]) -> tuple[Connection, Connection]:
    """A pipe whose ends wait: `gevent` lets those of sockets fail instead, and the process has the same ones."""
    if os.name == "posix":
        for end in ends:
            os.set_blocking(end.fileno(), True)
    return ends


def _hint(code: int | None) -> str:
    """The probable reason why a process ended before it had an instance, in brackets, or nothing."""
    if code is not None and code < 0:
        return ""
    hint = interpreter.doubt() or "a script needs `if __name__ == '__main__':`"
    return f" ({hint})"


def _refused(error: OSError) -> str:
    """The reason why a process can't be started."""
    if isinstance(error, BrokenPipeError):
        return interpreter.doubt() or "the resource tracker of `multiprocessing` was killed"
    return refusal(error)


def _unreadable(problem: Exception, job: Job) -> BaseException:
    return PoolError(f"the reply of {job} can't be read ({type(problem).__name__}: {problem})")

"""Compilation during which Python handles signals.

Wasmtime compiles without a stop, some megabytes for seconds. In the main thread, where Python handles signals, larger
modules are compiled by another thread while this one waits. When the handler of a signal raises, the waiting ends, and
the compiling goes on to its end: whoever compiles the same module again gets what it made. Small modules, and
validation, use the same threads of Wasmtime: while something is compiled they take as long as that.
"""

from __future__ import annotations

import weakref
from _queue import SimpleQueue
from collections.abc import Callable

from marine_runtime.lazy.forks import begin_in_child, notice
from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.native import Witness, start_own_thread

_LARGE = 1 << 16
"""Bytes of a module whose compiling may take longer than a tenth of a second."""

_STACK = 1 << 20
"""Bytes of stack that a thread has to have."""

_compilers: weakref.WeakSet[Compiler] = weakref.WeakSet()
_begun: weakref.WeakSet[Compiling] = weakref.WeakSet()
"""Those that threads are at. One whose thread did not begin is gone with whoever waited for it."""


class Compiling:
    """The compiling of one module by a thread, which ends by itself when nobody waits for the result any more.

    Attributes:
        ended: whether there is a result or an error.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self.ended = False
        self._work = work
        self._over: SimpleQueue[object] = SimpleQueue()
        self._witness = Witness(self._over.put)
        self._result: Any = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begin, in a thread.

        Raises:
            RuntimeError: no thread is left.
        """
        _begun.add(self)
        start_own_thread(self.run, witness=self._witness)

    def run(self) -> None:
        """Compile, in the current thread."""
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        finally:
            _begun.discard(self)
            self.ended = True

    def wait(self) -> Any:
        """The result; raises the error, or what the handler of a signal raises meanwhile."""
        if not self.ended:
            self._over.put(self._over.get())  # for the next one who waits
            if not self.ended:  # there was no memory for the first line of the thread
                self.run()
        if self._error is not None:
            raise self._error
        return self._result


class Compiler:
    """Compiles the modules of one `wasmtime.Engine`."""

    def __init__(self, compile_module: Callable[[bytes], Any]) -> None:
        self._compile = compile_module
        self._running: dict[bytes, Compiling] = {}
        _compilers.add(self)

    def compile(self, wasm: bytes) -> Any:
        """The compiled module; raises what compiling raises, or what the handler of a signal raises meanwhile."""
        notice()
        if len(wasm) < _LARGE or not _waits_better():
            return interruptible(wasm, self._compile)
        import hashlib

        key = hashlib.sha256(wasm).digest()
        compiling = self._running.get(key)
        if compiling is None:
            compiling = self._running[key] = Compiling(lambda: self._compile(wasm))
            try:
                compiling.start()
            except RuntimeError:  # no thread is left
                compiling.run()
            except BaseException:  # of a signal handler: the thread may not have begun
                self._running.pop(key, None)
                raise
        try:
            return compiling.wait()
        finally:
            if compiling.ended:
                self._running.pop(key, None)


def interruptible(wasm: bytes, work: Callable[[bytes], Any]) -> Any:
    """The result of `work`, which compiles or validates a module; raises what it raises, or what the handler of a
    signal raises meanwhile.
    """
    if not (len(wasm) >= _LARGE or _begun) or not _waits_better():
        return work(wasm)
    working = Compiling(lambda: work(wasm))
    try:
        working.start()
    except RuntimeError:  # no thread is left
        working.run()
    return working.wait()


def _forget_in_child() -> None:
    """In a forked process: what was being compiled goes on in the other one."""
    _begun.clear()
    for compiler in list(_compilers):
        compiler._running.clear()


begin_in_child(_forget_in_child)


def has_stack() -> bool:
    """True if a new thread has enough stack to compile."""
    import threading

    return (threading.stack_size() or _STACK) >= _STACK


def _waits_better() -> bool:
    """True if signals are handled in this thread, and another one would have enough stack."""
    import threading

    return threading.current_thread() is threading.main_thread() and has_stack()

"""Engines of Wasmtime, in processes that fork and that wait for signals.

Wasmtime compiles and validates with threads of its own, one per processor, which then exist until the process
ends. They are started by a thread that takes no signals, as they inherit that: a signal that a program blocks later, to
wait for it, would come to one of them and end the process. A forked process does not have those threads, and would
wait for them forever: there, an engine without threads compiles for the other one.
"""

from __future__ import annotations

import os
from _queue import SimpleQueue
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property

from marine_runtime.lazy.forks import begin_in_child, notice
from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.native import Witness, may_start, new_lock, start_own_thread

_MODULE = bytes.fromhex("0061736d01000000 010401600000 03020100 0a040102000b")
"""A module with one function."""


class _Threads:
    """The threads of Wasmtime.

    Attributes:
        begun: whether this process, or one that it was forked from, has begun to start them.
        ready: whether all of them are there: what another thread compiles before that may start some.
        lost: whether they are in another process.
        starting: held while they are started.
    """

    begun = False
    ready = False
    lost = False
    starting = new_lock()


class WasmEngine:
    """A `wasmtime.Engine` with what compiles for it.

    Attributes:
        native: the engine.
    """

    def __init__(self, binding: Any, new: Callable[[bool], Any]) -> None:
        """`new` makes the engine, with threads or without."""
        self._binding, self._new = binding, new
        self.native = new(threads_for_compiling())

    def module(self, wasm: bytes) -> Any:
        """Compile a module; raises the binding's WasmtimeError."""
        if not self._has_threads():
            code = self._binding.Module(self._alone, wasm).serialize()
            return self._binding.Module.deserialize(self.native, code)
        return self._binding.Module(self.native, wasm)

    def validate(self, wasm: bytes) -> None:
        """Check a module; raises the binding's WasmtimeError."""
        self._binding.Module.validate(self.native if self._has_threads() else self._alone, wasm)

    @cached_property
    def _alone(self) -> Any:
        return self._new(False)

    def _has_threads(self) -> bool:
        """True if Wasmtime has its threads, if any, in this process; they are started at the first question."""
        notice()
        if not _Threads.ready and not _Threads.lost:
            with _Threads.starting:
                if not _Threads.ready:
                    _Threads.begun = True
                    if threads_for_compiling():
                        self._start_threads()
                    _Threads.ready = True
        return not _Threads.lost

    def _start_threads(self) -> None:
        over: SimpleQueue[object] = SimpleQueue()
        witness = Witness(over.put)

        def start() -> None:
            with suppress(self._binding.WasmtimeError):  # no memory for code: whoever compiles next is told
                self._binding.Module(self.native, _MODULE)

        with suppress(RuntimeError):  # no thread is left
            start_own_thread(start, witness=witness)
            over.get()


@cache
def threads_for_compiling() -> bool:
    """True if the system has the threads left with which Wasmtime compiles.

    It starts one per processor at its first module, and ends the process when one is refused.
    """
    chosen = os.environ.get("RAYON_NUM_THREADS", "")
    return may_start(int(chosen) if chosen.isdecimal() and int(chosen) else os.cpu_count() or 1)


def _lose_threads() -> None:
    _Threads.lost, _Threads.starting = _Threads.begun, new_lock()


begin_in_child(_lose_threads)

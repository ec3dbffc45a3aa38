"""Compiling while Python handles signals: the wait ends, the compiling does not."""

from __future__ import annotations

import sys
import threading

import pytest
import wasmtime

from marine_runtime.errors import LoadError
from marine_runtime.wasm import open_runtime
from marine_runtime.wasm.compiling import Compiler, Compiling, interruptible
from tests.runtime.calls.test_signals import alarm
from tests.support.pools import LONG

LARGE = bytes(1 << 16)


class Slow:
    """Compiling that takes until it is told to end."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: list[int] = []

    def __call__(self, wasm: bytes) -> int:
        self.threads.append(threading.get_ident())
        assert self.go_on.wait(LONG)
        return len(self.threads)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer of POSIX")
def test_the_wait_is_interrupted_and_the_compiling_goes_on() -> None:
    slow = Slow()
    compiler = Compiler(slow)
    for _ in range(2):
        with alarm():
            compiler.compile(LARGE)
    slow.go_on.set()
    assert compiler.compile(LARGE) == 1
    assert compiler.compile(LARGE) == 2  # what was made is given out once
    assert threading.get_ident() not in slow.threads


def test_small_modules_and_other_threads_compile_at_once() -> None:
    slow, found = Slow(), []
    slow.go_on.set()
    compiler = Compiler(slow)
    compiler.compile(b"")
    thread = threading.Thread(target=lambda: found.append(compiler.compile(LARGE)))
    thread.start()
    thread.join()
    assert (found, slow.threads) == ([2], [threading.get_ident(), thread.ident])


def test_a_thread_that_can_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("marine_runtime.wasm.compiling.start_own_thread", refuse)
    slow = Slow()
    slow.go_on.set()
    assert Compiler(slow).compile(LARGE) == 1
    assert slow.threads == [threading.get_ident()]


def test_errors_are_those_of_compiling() -> None:
    with pytest.raises(LoadError, match="not a valid Wasm module"):
        open_runtime().compile(b"\0asm" + LARGE)


def test_a_large_module() -> None:
    text = f'(module (memory 2) (data (i32.const 0) "{"a" * len(LARGE)}") (func (export "f")))'
    module = open_runtime().compile(bytes(wasmtime.wat2wasm(text)))
    assert list(module.exports) == ["f"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer of POSIX")
def test_small_modules_wait_while_another_one_is_compiled() -> None:
    """As the threads of Wasmtime do everything in turn."""
    slow = Slow()
    other = Compiling(lambda: slow(LARGE))
    other.start()
    compiler = Compiler(slow)
    with alarm():
        compiler.compile(b"")
    with alarm():
        interruptible(b"", slow)
    slow.go_on.set()
    other.wait()
    assert len(slow.threads) == 3
    assert threading.get_ident() not in slow.threads
    assert compiler._running == {}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer of POSIX")
def test_validation_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, slow = open_runtime(), Slow()
    monkeypatch.setattr(runtime._engine, "validate", slow)
    with alarm():
        runtime.validate(LARGE)
    slow.go_on.set()
    runtime.validate(b"")


def test_errors_of_validation() -> None:
    with pytest.raises(LoadError, match="not a valid Wasm module"):
        open_runtime().validate(b"\0asm" + LARGE)

"""Threads that the system starts, and that have no memory for their first line: nobody waits for them for ever."""

from __future__ import annotations

from _queue import SimpleQueue
from _thread import start_new_thread
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from marine_runtime import MountedBinary
from marine_runtime.host.mounted_binary import KILLED, NOT_STARTED, run
from marine_runtime.pool import PoolError
from marine_runtime.wasm import compiling, native
from tests.support.pools import ANY_ENGINE, KINDS, LONG, pool

Patch = Callable[[int], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Patch:
    """A function: from the thread of that number on, counted from 0, they end before their first line."""

    def patch(first: int) -> None:
        count = 0

        def start(target: Callable[..., object], args: tuple[Any, ...]) -> None:
            nonlocal count
            count += 1
            if count <= first:
                start_new_thread(target, args)

        before = native._original
        changed = {"start_new_thread": start}
        monkeypatch.setattr(native, "_original", lambda module, name: changed.get(name) or before(module, name))

    return patch


def test_a_witness() -> None:
    told: SimpleQueue[object] = SimpleQueue()
    hold = native.new_lock()
    hold.acquire()
    witness = native.Witness(told.put)
    native.start_thread(hold.acquire, witness=witness)
    assert told.empty()
    hold.release()
    told.get(timeout=LONG)


@pytest.mark.host_side
@pytest.mark.parametrize("first", range(3))
def test_a_mounted_binary(failing: Patch, first: int) -> None:
    """The thread of the process, or that of an output."""
    failing(first)
    found = run("program", MountedBinary("/bin/sh", timeout=LONG), ["-c", "exit 0"])
    assert found.ret_code == (KILLED if first else NOT_STARTED)
    assert "there is no memory for its thread (RLIMIT_AS" in found.error


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool(failing: Patch, kind: str) -> None:
    failing(0)
    with pytest.raises(PoolError, match=r"^a worker of the pool can't be started: there is no memory for its thread"):
        pool(ANY_ENGINE, kind)


def test_compiling(failing: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_waits_better", lambda: True)
    failing(0)
    assert compiling.Compiler(len).compile(bytes(1 << 16)) == 1 << 16


def test_trying(failing: Patch) -> None:
    assert native.may_begin()
    assert native.may_start(2)
    failing(0)
    assert not native.may_begin()
    assert native.may_start(2)


def test_eventlet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its patches are seen through, as those of gevent."""
    real = SimpleNamespace(get_ident=lambda: 7)
    monkeypatch.setitem(native.sys.modules, "eventlet.patcher", SimpleNamespace(original={"_thread": real}.get))  # type: ignore[arg-type]
    monkeypatch.delitem(native.sys.modules, "gevent.monkey", raising=False)
    assert native.thread_ident() == 7

"""Processes that were forked without Python's hooks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

import pytest

from marine_runtime.lazy import forks
from tests.support.interrupted import StopError
from tests.support.paths import ROOT

FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

HELD = """
import ctypes, os, signal, threading
LOCKS
held = threading.Event()
def hold():
    for lock in locks:
        lock().acquire()
    held.set()
    threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
pid = ctypes.PyDLL(None).fork()
if not pid:
    signal.alarm(20)  # a child that hangs is found
    for lock in locks:
        with lock():
            pass
    os._exit(0)
print(os.waitpid(pid, 0)[1])
"""


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """The actions of a process that looks like a fork to `notice`."""
    made: list[Callable[[], object]] = []
    monkeypatch.setattr(forks, "_actions", made)
    monkeypatch.setattr(forks._Process, "number", -1)
    monkeypatch.setattr(forks._Process, "page", bytes(1))
    monkeypatch.setattr(forks, "_beginning", {})
    return made


def test_other_threads_wait_for_the_actions(actions: list[Callable[[], object]]) -> None:
    """They used the locks of the parent, one of which may have been held."""
    begun, done, events = threading.Event(), threading.Event(), list[str]()

    def act() -> None:
        begun.set()
        done.wait(10)
        forks.notice()  # an action may ask, too
        events.append("action")

    def ask() -> None:
        forks.notice()
        events.append("asked")

    actions.append(act)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.05)
    assert events == []
    done.set()
    for thread in threads:
        thread.join()
    assert events == ["action", "asked", "asked"]


def test_actions_that_are_interrupted_run_again(actions: list[Callable[[], object]]) -> None:
    """The handler of a signal may raise between two of them."""
    events = list[str]()

    def act() -> None:
        events.append("begun")
        if len(events) == 1:
            raise StopError

    actions += [act, lambda: events.append("last")]
    with pytest.raises(StopError):
        forks.notice()
    forks.notice()
    forks.notice()
    assert events == ["begun", "begun", "last"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such memory")
def test_the_number_of_the_process_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a call of the system, which would be a part of each call with a time limit."""

    def ask() -> NoReturn:
        raise AssertionError("the number was asked for")

    forks.notice()
    monkeypatch.setattr(forks.os, "getpid", ask)
    forks.notice()
    monkeypatch.undo()
    assert forks._Process.page[0] == 1
    child = os.fork()
    if not child:
        os._exit(forks._Process.page[0])
    assert os.waitpid(child, 0)[1] == 0


@FORK
@pytest.mark.parametrize(
    "locks",
    [
        "from marine_runtime.lazy.turns import Turns\nmade = Turns()\nlocks = [lambda: made.lock]",
        "from marine_runtime.adapters import loader\nlocks = [lambda: loader._executing.lock]",
        "from marine_runtime.host import program\nlocks = [lambda: program._forking.lock]",
    ],
    ids=["any", "glue", "mounted binaries"],
)
def test_locks_that_another_thread_held(locks: str) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}
    done = subprocess.run(
        [sys.executable, "-c", HELD.replace("LOCKS", locks)], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("0\n", "")

"""Pools in programs whose interpreter is unusual, that end without closing them, or that choose a start method."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from typing import Any

import pytest

from marine_runtime.pool import PoolError, WorkerDiedError, interpreter
from tests.support.engines import guests, load
from tests.support.paths import ROOT
from tests.support.pools import ANY_ENGINE, pool

ADVICE = "; name one with `multiprocessing.set_executable`, or use a pool of threads"
NONE = "names no Python interpreter, as where a program embeds Python"


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (None, f"`sys.executable` {NONE}"),
        (b"", f"`sys.executable` {NONE}"),
        (b"/no/python3", "there is no Python interpreter `/no/python3`, which `sys.executable` names"),
    ],
)
def test_no_interpreter(program: bytes | None, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "_python_exe", program)
    with pytest.raises(PoolError) as caught:
        pool(ANY_ENGINE, "processes")
    assert str(caught.value) == f"a worker process can't be started: {text}{ADVICE}"


@pytest.mark.skipif(not os.path.exists("/bin/true"), reason="it needs a program that does nothing")
def test_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    resource_tracker.ensure_running()  # it is started with the same program, and lives as long as this process
    monkeypatch.setattr(spawn, "_python_exe", b"/bin/true")
    with pytest.raises((PoolError, WorkerDiedError)) as caught:
        pool(ANY_ENGINE, "processes")
    assert f"`/bin/true`, which `sys.executable` names, has to be a Python interpreter{ADVICE}" in str(caught.value)


def test_the_start_method_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may choose it after it has made a pool."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(None, force=True)
    try:
        with interpreter.start_method_left_open():
            multiprocessing.get_start_method()
        assert multiprocessing.get_start_method(allow_none=True) is None
        multiprocessing.set_start_method("spawn")
        with interpreter.start_method_left_open():
            multiprocessing.get_start_method()
        assert multiprocessing.get_start_method(allow_none=True) == "spawn"
    finally:
        multiprocessing.set_start_method(before, force=True)


def run_program(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """A program in a file, which processes of pools can import."""
    script = folder / "program.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


END = """
import multiprocessing, sys
from tests.support.pools import ANY_ENGINE, pool
if __name__ == "__main__":
    made = [pool(ANY_ENGINE, kind) for kind in ("threads", "processes")]
    for item in made:
        item.submit("endless", "spin")
    multiprocessing.set_start_method("spawn")
    print(made[1].call("lab", "echo", [1]) if len(sys.argv) > 1 else "done")
"""


@pytest.mark.slow
def test_a_program_ends_without_closing_its_pools(tmp_path: Path) -> None:
    """No worker is replaced meanwhile, and nothing is written."""
    done = run_program(tmp_path, END)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent
from tests.support.pools import ANY_ENGINE, pool
from marine_runtime.errors import CallTimeoutError

def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.01)

if __name__ == "__main__":
    ticks = 0
    gevent.spawn(tick)
    with pool(ANY_ENGINE, "processes", workers=2) as made:
        made.call("lab", "echo", [1])
        before = ticks
        calls = [gevent.spawn(made.call, "lab", "nap", [200]) for _ in range(2)]
        gevent.joinall(calls)
        print([call.value for call in calls], ticks > before + 1)
        try:
            made.call("endless", "spin", timeout=0.3)
        except CallTimeoutError:
            print(made.call("lab", "echo", [2]))
"""


@pytest.mark.slow
def test_processes_under_gevent(tmp_path: Path) -> None:
    """Other greenlets run while calls are waited for."""
    pytest.importorskip("gevent")
    done = run_program(tmp_path, GEVENT)
    assert (done.stdout, done.stderr) == ("[200, 200] True\n2\n", "")


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_nothing_is_copied(copied: Callable[[Any], object]) -> None:
    """A copy would free what belongs to the original."""
    with load(guests("greeting"), ANY_ENGINE.engine) as service, pool(ANY_ENGINE, "threads") as made:
        future = made.submit("lab", "echo", [1])
        assert future.result() == 1
        for item in (service, made, future):
            with pytest.raises(TypeError, match=r"> can't be pickled or copied: "):
                copied(item)
        assert service.call("greeting", "greeting", ["x"]) == "Hi, x"
        assert made.call("lab", "echo", [2]) == 2

"""Mounted binaries in a host that does odd things with signals, descriptors, threads and children."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from marine_runtime import MountedBinary
from marine_runtime.host import child_process, mounted_binary, program
from marine_runtime.host.mounted_binary import KILLED, NOT_STARTED, Outcome, run
from tests.runtime.host.test_mounted_binaries import gone
from tests.support.paths import ROOT
from tests.support.pools import until

pytestmark = pytest.mark.host_side


def shell(script: str, *arguments: str, **limits: Any) -> Outcome:
    return run("program", MountedBinary("/bin/sh", **limits), ["-c", script, *arguments])


@contextmanager
def handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def reap_all(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


ENDS = (("printf out; printf err >&2; exit 3", 3), ("kill -9 $$", KILLED), ("exit 0", 0))


@pytest.mark.parametrize("handler", [signal.SIG_IGN, reap_all], ids=["ignored", "reaped"])
@pytest.mark.parametrize(("script", "code"), ENDS)
def test_children_that_the_host_reaps(handler: Any, script: str, code: int) -> None:
    with handled(signal.SIGCHLD, handler):
        found = shell(script)
    assert found.ret_code == code or (found.ret_code == KILLED and "exit code of the program is unknown" in found.error)
    assert found.stdout == (b"out" if code == 3 else b"")


def test_a_lost_exit_code_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the system forgets the code together with the process."""
    monkeypatch.setattr(child_process._Child, "_exit_code_of_reaped", lambda self: None)
    with handled(signal.SIGCHLD, signal.SIG_IGN):
        found = shell("printf out")
    assert found[:1] + found[2:] == (KILLED, b"out", b"")
    assert found.error == mounted_binary._UNKNOWN


def test_a_program_begins_with_signals_as_they_are_by_default() -> None:
    """Signals that the host ignores or blocks reach the program: its own children, alarms and pipes work."""
    with handled(signal.SIGCHLD, signal.SIG_IGN), handled(signal.SIGUSR1, signal.SIG_IGN):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        try:
            found = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    blocked, ignored = (int(word, 16) for word in found.stdout.split()[1::2])
    reserved = 0b11 << 31  # of the C library
    assert (blocked, ignored & ~reserved) == (0, 0)


def test_descriptors_of_the_host_stay_there(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        os.set_inheritable(file.fileno(), True)
        found = shell("ls -l /proc/self/fd")
    assert found.ret_code == 0
    assert str(tmp_path).encode() not in found.stdout


CLOSED = """
import os, sys
report = os.dup(1)
os.set_inheritable(report, False)
for number in {numbers}:
    os.close(number)
from marine_runtime import MountedBinary
from marine_runtime.host.mounted_binary import run
script = "read x; printf 'out%s' $x; printf err >&2; exit 3"
found = run("program", MountedBinary("/bin/sh"), ["-c", script])
os.write(report, repr(tuple(found)).encode())
os._exit(0)
"""


def host(code: str, *options: str) -> str:
    """The output of a program in a process of its own."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("numbers", [(0, 1, 2), (1,), (0, 2)])
def test_standard_streams_that_are_closed(numbers: tuple[int, ...]) -> None:
    assert host(CLOSED.format(numbers=numbers)) == "(3, '', b'out', b'err')"


@pytest.mark.parametrize("position", range(3))
def test_a_thread_that_can_not_start(position: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the one that starts the program nor those that read: the program never runs."""
    left = [None] * position
    real = program.start_thread

    def start(*arguments: Any, **options: Any) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        real(*arguments, **options)

    monkeypatch.setattr(program, "start_thread", start)
    found = shell(f"touch {tmp_path}/mark")
    assert found == (NOT_STARTED, "there is no thread to watch over the program: can't start new thread", b"", b"")
    assert not (tmp_path / "mark").exists()
    until(lambda: not program._pipes)


def test_an_output_that_can_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> bytes:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(program.os, "read", read)
    found = shell("sleep 60")
    monkeypatch.undo()
    error = "the output of the program can't be read: [Errno 9] Bad file descriptor; the program was stopped"
    assert found == (KILLED, error, b"", b"")


def test_a_program_that_can_not_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(child_process._Child, "kill", refused)
    monkeypatch.setattr(mounted_binary, "_GRACE", 0.1)
    found = shell("echo begun; sleep 0.5", timeout=0.2)
    error = "the program did not end in 0.2 s; it can't be stopped: Operation not permitted"
    assert found == (KILLED, error, b"begun\n", b"")


def test_no_descriptor_is_left() -> None:
    until(lambda: not program._pipes)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd")))
    for more in range(1, 5):  # the standard ends of both pipes, one after the other
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, limit[1]))
        try:
            taken = []
            with suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            for item in taken[: more - 1]:
                os.close(item)
            found = shell("true")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            for item in taken[more - 1 :]:
                os.close(item)
        if len(taken) >= more:
            reason = f"Too many open files (RLIMIT_NOFILE, which `ulimit -n` shows, is {used + more})"
            assert found == (NOT_STARTED, reason, b"", b"")
    until(lambda: not program._pipes)


@pytest.mark.parametrize("moment", ["start", "next", "kill", "leave"])
def test_an_exception_at_any_moment_leaves_no_program(
    moment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a signal handler may raise it: right behind a step, before its caller has noted what the step gave."""
    real = getattr(program.Program, moment)
    pid = tmp_path / "pid"

    def interrupted(*arguments: Any, **options: Any) -> Any:
        real(*arguments, **options)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(program.Program, moment, interrupted)
    limits = {"timeout": 0.2} if moment in ("kill", "leave") else {}
    with pytest.raises(KeyboardInterrupt):
        shell(f"echo $$ > {pid}.new; mv {pid}.new {pid}; echo begun; sleep 60", **limits)
    if pid.exists():
        assert gone(int(pid.read_text()))
    assert_no_child()


def assert_no_child() -> None:
    """Nothing that was started is running or waits to be reaped."""
    for _ in range(1000):
        ours = [item for item in children() if b"sleep" in item or not item]
        if not ours:
            return
        threading.Event().wait(0.01)
    raise AssertionError(ours)


def children() -> list[bytes]:
    """The command lines of this process's children."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                with suppress(OSError):
                    found.append(Path(f"/proc/{child}/cmdline").read_bytes())
    return found


def test_a_forked_child_does_not_keep_the_outputs_open() -> None:
    """The program ends, and so does the call, though a child of the host that was forked meanwhile lives on."""
    heard, told = os.pipe()
    forked: list[int] = []

    def fork() -> None:
        os.read(heard, 1)
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        forked.append(child)

    forker = threading.Thread(target=fork)
    forker.start()
    try:
        with handled(signal.SIGUSR1, lambda *_: os.write(told, b"x")):
            found = shell(f"kill -USR1 {os.getpid()}; sleep 0.5; echo done", timeout=60)
        forker.join()
    finally:
        for child in forked:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(heard)
        os.close(told)
    assert found == (0, "", b"done\n", b"")


GEVENT = """
from gevent import monkey
{early}
monkey.patch_all()
from marine_runtime import MountedBinary
from marine_runtime.host.mounted_binary import run
print(tuple(run("program", MountedBinary("/bin/sh", timeout=50), ["-c", "printf out; printf err >&2; exit 3"])))
print(run("program", MountedBinary("/bin/sh", timeout=0.2), ["-c", "sleep 60"]).error)
"""


@pytest.mark.parametrize("early", ["", "import marine_runtime.host.mounted_binary"], ids=["before", "after"])
def test_gevent_with_everything_patched(early: str) -> None:
    found = host(GEVENT.format(early=early)).splitlines()
    assert found == ["(3, '', b'out', b'err')", "the program did not end in 0.2 s; it was stopped"]

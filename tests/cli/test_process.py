"""The command line as a process: exit codes, streams, signals, start-up. Slow to start, so only what needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.guests.descriptions import GUESTS_FOLDER

Process = Callable[..., "subprocess.CompletedProcess[str]"]
GREETING = GUESTS_FOLDER / "greeting.wasm"


def test_result_on_stdout(process: Process) -> None:
    done = process("run", GREETING, "greeting.greeting", "-", input='["John"]')
    assert (done.returncode, done.stdout, done.stderr) == (0, '"Hi, John"\n', "")


def test_usage(process: Process) -> None:
    done = process("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing argument 'TARGET'" in done.stderr


@pytest.mark.parametrize("guest", ["no_memory", "endless", "cyclic_result"])
def test_hostile_guests(process: Process, module: Callable[[str], Path], guest: str) -> None:
    function = {"no_memory": "greeting", "endless": "recurse", "cyclic_result": "node"}[guest]
    done = process("run", module(guest), f"{guest}.{function}", *(['["x"]'] if guest == "no_memory" else []))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(process: Process) -> None:
    done = process("--debug", "it", "missing.wasm")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith("error: `missing.wasm` can't be read: No such file or directory\n")


def test_help_loads_no_engine() -> None:
    code = (
        "import sys; from marine_gen.cli import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('wasmtime', 'lark', 'jinja2', 'rich', 'marine_runtime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_closed_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "marine_gen", "it", str(GREETING)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_disk(unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "marine_gen", "it", str(GREETING)]
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, env=environment, check=False
        )
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_interrupted_while_a_guest_spins(module: Callable[[str], Path]) -> None:
    command = [sys.executable, "-m", "marine_gen", "run", str(module("endless")), "endless.spin"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(2)  # it has to be inside the guest
        assert running.poll() is None
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=20)
    finally:
        running.kill()
        running.wait()
    assert (running.returncode, stdout, stderr.strip()) == (130, "", "error: interrupted")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_interrupted_elsewhere() -> None:
    command = [sys.executable, "-m", "marine_gen", "run", str(GREETING), "greeting.greeting", "-"]
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        time.sleep(1.5)  # it waits for its arguments
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=20)
    finally:
        running.kill()
        running.wait()
    assert (running.returncode, stdout, stderr.strip()) == (130, "", "error: interrupted")


def test_output_without_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "marine_gen", "run", str(GREETING), "greeting.é€"]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert b"there is no function `\xe9\\u20ac`" in done.stderr

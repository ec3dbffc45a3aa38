"""The command line as a process: exit codes, streams, signals, start-up. Slow to start, so only what needs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import assemble
from tests.support.paths import ROOT

Process = Callable[..., "subprocess.CompletedProcess[str]"]
GREETING = GUESTS_FOLDER / "greeting.wasm"
HOST_FILE = """
from marine_runtime import HostFunction
from marine_runtime.types import FunctionType
host_functions = {"begun": HostFunction(lambda: print("begun", flush=True), FunctionType())}
"""
SPINNER = """(module (import "host" "begun" (func $begun)) (memory (export "memory") 1)
  (func (export "run") (call $begun) (loop $again (br $again))))"""
ADAPTERS = """(@interface it_version "0.28.0")
(@interface type (func))
(@interface type (func))
(@interface export "run" (func 0))
(@interface func (type 1) call-core 0)
(@interface implement (func 0) (func 1))
"""


def test_result_on_stdout(process: Process) -> None:
    done = process("run", GREETING, "greeting.greeting", "-", input='["John"]')
    assert (done.returncode, done.stdout, done.stderr) == (0, '"Hi, John"\n', "")


def test_missing_arguments_are_wrong_usage(process: Process) -> None:
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


@contextmanager
def running(*args: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The command line as a process that is ended with the block."""
    command = [sys.executable, "-m", "marine_gen", *map(str, args)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The end of a process after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_interrupted_while_a_guest_spins(tmp_path: Path) -> None:
    """The guest says that it runs by a host function, and spins from then on. The process ends as after any failure."""
    (tmp_path / "spinner.wasm").write_bytes(assemble(SPINNER, ADAPTERS))
    (tmp_path / "host.py").write_text(HOST_FILE)
    trace = tmp_path / "trace.json"
    options = ("--host-file", tmp_path / "host.py", "--trace", trace)
    with running("run", *options, tmp_path / "spinner.wasm", "spinner.run") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert interrupted(process) == (130, "", "error: interrupted")
    names = [event["name"] for event in json.loads(trace.read_text("utf-8"))["traceEvents"]]
    assert "spinner.run" in names


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_interrupted_elsewhere() -> None:
    """It waits for the rest of its arguments: what was written is more than a pipe holds, so somebody reads."""
    with running("run", GREETING, "greeting.greeting", "-") as process:
        assert process.stdin is not None
        process.stdin.write(" " * (1 << 20))
        process.stdin.flush()
        assert interrupted(process) == (130, "", "error: interrupted")


def test_output_without_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "marine_gen", "run", str(GREETING), "greeting.é€"]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert b"there is no function `\xe9\\u20ac`" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="POSIX has this signal")
def test_exit_codes_of_children_when_the_parent_ignores_them(tmp_path: Path) -> None:
    """A C compiler that fails is a failure."""
    (tmp_path / "greeter.idl").write_text("export:\n  fn greet() -> u32\n")
    (tmp_path / "greeter.c").write_text("")
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-m", "marine_gen", "guest", "build", "greeter.c", "--cc", "false"]
    done = subprocess.run(
        [sys.executable, "-c", ignoring, *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the C compiler failed with exit code 1" in done.stderr

"""The loop in a real terminal: prompts, editing, completion, history, Ctrl-C and Ctrl-D."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import assemble
from tests.support.samples import sampled

# Python warns of threads at a fork; the child of a terminal starts another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")

GREETING = GUESTS_FOLDER / "greeting.wasm"
PATIENCE = 60
Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the loop in a terminal of its own."""
    started = []

    def spawn(*args: str | Path) -> Any:
        environment = {
            **os.environ,
            "NO_COLOR": "1",
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here answers where the cursor is
            "PYTHONWARNINGS": "error",
            "MARINE_GEN_HISTORY": str(tmp_path / "history" / "lines"),
        }
        command = ["-m", "marine_gen", "repl", *map(str, args)]
        child = pexpect.spawn(
            sys.executable, command, env=environment, encoding="utf-8", timeout=PATIENCE, dimensions=(50, 200)
        )
        child.delaybeforesend = None
        started.append(child)
        return child

    yield spawn
    for child in started:
        child.close(force=True)


def ready(child: Any, number: int) -> None:
    """Wait for a prompt, and until keys are read one by one."""
    child.expect_exact(f"{number}> ")
    child.expect_exact("\x1b[?25h")


def leave(child: Any) -> int:
    """Ctrl-D, and the exit code."""
    child.sendcontrol("d")
    child.expect_exact("CTRL-D")
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus)


def test_banner_calls_and_end(start: Start) -> None:
    child = start("--timeout", "30", GREETING)
    child.expect(r"Welcome to the Marine REPL \(version [\d.]+\)\r\nMinimal supported versions\r\n  sdk: 0\.6\.0\r\n")
    child.expect(r"  interface-types: 0\.20\.0\r\n\r\napp service was created with service id = [0-9a-f-]{36}\r\n")
    child.expect(r"elapsed time \d+(\.\d+)?(ns|µs|ms|s)\r\n")
    ready(child, 1)
    child.sendline('call greeting greeting ["John"]')
    child.expect_exact('result: "Hi, John"')
    child.expect(r" elapsed time: \d")
    ready(child, 2)
    child.sendline("nonsense")
    child.expect_exact("there is no command `nonsense`")
    ready(child, 3)
    assert leave(child) == 0


@pytest.mark.slow
def test_quiet_and_quit(start: Start) -> None:
    child = start("-q")
    child.expect_exact("1> ")
    assert "Welcome" not in child.before
    assert "service" not in child.before
    child.sendline("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.slow
def test_values_over_several_lines_and_completion(start: Start) -> None:
    child = start("-q", "--timeout", "30", GREETING)
    ready(child, 1)
    for typed, completed in (("call gree", "ting"), (" gree", "ting"), (' {"na', 'me":')):
        child.send(f"{typed}\t")
        child.expect_exact(completed)
    child.send('"two\r')  # the string is not closed, which is an error of this line
    child.expect_exact("invalid args: ")
    ready(child, 2)
    child.sendline("call greeting greeting [")
    child.sendline('"three"')
    child.sendline("]")
    child.expect_exact('result: "Hi, three"')
    ready(child, 3)
    assert leave(child) == 0


def test_ctrl_c_drops_a_line_then_leaves(start: Start) -> None:
    child = start("-q", GREETING)
    ready(child, 1)
    child.send("call something")
    child.expect_exact("something")
    child.sendcontrol("c")
    child.sendline("timeout 7")
    child.expect_exact("a call may take 7s")
    ready(child, 2)
    child.sendcontrol("c")
    child.expect_exact("CTRL-C")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize(
    "engine", sampled([("fused", "fast"), ("closures", "public")], lambda both: both[0] == "fused"), ids="-".join
)
def test_ctrl_c_stops_a_guest_that_spins(start: Start, module: Callable[[str], Path], engine: tuple[str, str]) -> None:
    child = start("-q", "--timeout", "3600", "--engine", engine[0], "--call-layer", engine[1], module("endless"))
    ready(child, 1)
    for number in (1, 2):
        child.sendline("call endless spin []")
        child.expect_exact("\x1b[?2004l")  # the line is being run
        with pytest.raises(pexpect.TIMEOUT):
            child.expect_exact("call interrupted", timeout=0.3)
        child.sendcontrol("c")
        child.expect_exact("call interrupted: Ctrl-C")
        if number == 1:
            child.expect_exact("a call was interrupted and nothing was rolled back: modules can be called")
        ready(child, number + 1)
    child.sendline("call endless grow [1]")
    child.expect_exact("result: 1")
    ready(child, 4)
    assert leave(child) == 0


HOST_FILE = """
import time
from marine_runtime import HostFunction
from marine_runtime.types import FunctionType

def sleep():
    print("asleep", flush=True)
    while True:
        time.sleep(0.01)

host_functions = {"sleep": HostFunction(sleep, FunctionType())}
"""
SLEEPER = """(module
  (import "host" "sleep" (func $sleep)) (memory (export "memory") 1) (func (export "run") (call $sleep)))"""
ADAPTERS = """(@interface it_version "0.28.0")
(@interface type (func))
(@interface type (func))
(@interface export "run" (func 0))
(@interface func (type 1) call-core 0)
(@interface implement (func 0) (func 1))
"""


@pytest.mark.slow
def test_ctrl_c_stops_a_host_function(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sleeper.wasm").write_bytes(assemble(SLEEPER, ADAPTERS))
    (tmp_path / "host.py").write_text(HOST_FILE)
    child = start("-q", "--timeout", "3600", "--host-file", tmp_path / "host.py", tmp_path / "sleeper.wasm")
    ready(child, 1)
    for number in (1, 2):
        child.sendline("call sleeper run []")
        child.expect_exact("asleep")
        child.sendcontrol("c")
        child.expect_exact("call interrupted: Ctrl-C")
        ready(child, number + 1)
    assert leave(child) == 0


def test_ctrl_c_stops_an_initialiser(start: Start, tmp_path: Path) -> None:
    spin = '(func (export "_start") (loop $again (br $again)))'
    (tmp_path / "spin.wasm").write_bytes(assemble(f'(module {spin} (func (export "run")))', ADAPTERS))
    child = start("-q", "--timeout", "30", GREETING)
    ready(child, 1)
    child.sendline(f"load spin {tmp_path / 'spin.wasm'}")
    child.expect_exact("\x1b[?2004l")
    with pytest.raises(pexpect.TIMEOUT):
        child.expect_exact("loading", timeout=0.3)
    child.sendcontrol("c")
    child.expect_exact("loading interrupted: Ctrl-C")
    ready(child, 2)
    child.sendline('call greeting greeting ["x"]')
    child.expect_exact('result: "Hi, x"')
    ready(child, 3)
    assert leave(child) == 0


def test_lines_are_kept_for_the_next_session(start: Start, tmp_path: Path) -> None:
    child = start("-q", GREETING)
    ready(child, 1)
    child.sendline("timeout 11")
    ready(child, 2)
    child.sendline(" timeout 12")
    child.expect_exact("a call may take 12s")
    ready(child, 3)
    assert leave(child) == 0
    path = tmp_path / "history" / "lines"
    assert "timeout 11" in path.read_text()
    assert "timeout 12" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    child = start("-q", GREETING)
    ready(child, 1)
    child.send("\x1b[A\r")  # up
    child.expect_exact("a call may take 11s")
    ready(child, 2)
    assert leave(child) == 0


@pytest.mark.slow
def test_a_history_that_can_not_be_kept(start: Start, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where a directory should be")
    child = start("-q", GREETING)
    child.expect_exact("can't be used, so lines are not kept")
    ready(child, 1)
    assert leave(child) == 0


def test_a_service_that_can_not_be_made(start: Start) -> None:
    child = start("missing.toml")
    child.expect_exact("error: `missing.toml` can't be read: No such file or directory")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1

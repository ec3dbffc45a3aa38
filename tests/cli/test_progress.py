"""The bar of compiling, in a terminal and without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from tests.guests.descriptions import GUESTS_FOLDER

# Python warns of threads at a fork; the child of a terminal starts another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")

_SLOW = """
import sys, time
from marine_gen.artifact.ahead import Ahead
from marine_gen.cli.app import main
import marine_gen.console.progress as progress

progress.PATIENCE = {patience}
compile = Ahead.compile

def slow(*given):
    time.sleep({seconds})
    return compile(*given)

Ahead.compile = slow
main()
"""


def program(patience: float, seconds: float, *command: str) -> list[str]:
    """The arguments of a Python whose compiler takes so long for each Wasm."""
    return ["-c", _SLOW.format(patience=patience, seconds=seconds), *command]


def environment(tmp_path: Path, **more: str) -> Mapping[str, str]:
    """An empty cache, and a terminal of the ordinary kind."""
    known = {name: item for name, item in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    return {**known, "TERM": "xterm", "MARINE_GEN_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "error", **more}


RUN = ("run", str(GUESTS_FOLDER / "greeting.wasm"), "greeting.greeting", '["John"]')
RESULT = '"Hi, John"\r\n'


def shown(tmp_path: Path, arguments: list[str], **more: str) -> str:
    """Everything that a terminal gets."""
    child = pexpect.spawn(
        sys.executable, arguments, env=environment(tmp_path, **more), encoding="utf-8", timeout=60, dimensions=(24, 100)
    )
    text = str(child.read())
    child.close()
    assert child.exitstatus == 0, text
    return text


def test_a_bar_appears_and_goes(tmp_path: Path) -> None:
    text = shown(tmp_path, program(0.1, 0.3, *RUN))
    assert "compiling `greeting`" in text
    assert text.endswith(f"\x1b[2K{RESULT}")  # its line was erased
    assert "\x1b[?25l" not in text  # the cursor stays


@pytest.mark.slow
def test_a_bar_without_colours(tmp_path: Path) -> None:
    text = shown(tmp_path, program(0.1, 0.3, *RUN), NO_COLOR="1")
    assert "compiling `greeting`" in text
    assert "\x1b[3" not in text


@pytest.mark.slow
def test_no_bar_for_what_is_quick(tmp_path: Path) -> None:
    assert shown(tmp_path, program(60, 0.0, *RUN)) == RESULT


@pytest.mark.slow
def test_no_bar_on_a_terminal_that_takes_nothing_back(tmp_path: Path) -> None:
    assert shown(tmp_path, program(0.0, 0.3, *RUN), TERM="dumb") == RESULT


def test_no_bar_without_a_terminal(tmp_path: Path) -> None:
    command = [sys.executable, *program(0.0, 0.3, *RUN)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), timeout=60, check=True)
    assert (done.stdout, done.stderr) == ('"Hi, John"\n', "")


def test_an_interrupt_removes_the_bar(tmp_path: Path) -> None:
    child = pexpect.spawn(
        sys.executable, program(0.0, 60, *RUN), env=environment(tmp_path), encoding="utf-8", timeout=60
    )
    child.expect_exact("compiling `greeting`")
    child.sendintr()
    rest = str(child.read())
    child.close()
    assert child.exitstatus == 130, rest
    last = rest.rpartition("\x1b[2K")[2]
    assert last.startswith("\x1b[1m") or "interrupted" in last
    assert "compiling" not in last
    assert not [item for item in (tmp_path / "cache").iterdir() if item.is_dir()]


@pytest.mark.slow
def test_the_loop_has_a_bar_unless_it_is_quiet(tmp_path: Path) -> None:
    loop = ("repl", RUN[1])
    for quiet in (False, True):
        command = program(0.0, 0.3, *loop, *(["-q"] if quiet else []))
        child = pexpect.spawn(
            sys.executable,
            command,
            env=environment(tmp_path / str(quiet), PROMPT_TOOLKIT_NO_CPR="1", MARINE_GEN_HISTORY=""),
            encoding="utf-8",
            timeout=60,
        )
        child.expect_exact("1> ")
        assert ("compiling `greeting`" in str(child.before)) is not quiet
        child.close(force=True)

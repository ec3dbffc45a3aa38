"""Arguments that reach cargo, its output, and its failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.rust.stand_in import StandIn

INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from marine_gen.cli import main
main()
"""
"""The command line, with the signal that those who run tests may ignore."""

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]


def test_options_reach_cargo(run: Run, folder: Path, cargo: StandIn) -> None:
    options = ["--release", "--features", "a,b", "--features", "c", "-o", "x/y"]
    done = run("guest", "build-rust", "ws", *options, "--", "--locked", "--profile=small", "-p", "facade")
    assert done.exit_code == 0, done.output
    assert (folder / "x" / "y" / "facade.wasm").is_file()
    assert cargo.asked()[0].endswith("diagnostics --release --features a,b,c --locked --profile=small -p facade")
    assert cargo.asked("cargo metadata")[0].endswith("--features a,b,c --locked")


@pytest.mark.parametrize("argument", ["-pfacade", "--package=facade", "--workspace", "--all", "--exclude"])
def test_packages_of_the_user_win(run: Run, cargo: StandIn, argument: str) -> None:
    assert run("guest", "build-rust", "ws", "--", argument).exit_code == 0
    assert cargo.asked()[0].endswith(f"json-render-diagnostics {argument}")


def test_arguments_that_change_dependencies_count_for_the_metadata(run: Run, cargo: StandIn) -> None:
    """The SDK may be an optional dependency."""
    counting = "--features x --features=x,y -F x -Fx --all-features --no-default-features --config net.offline=true "
    counting += "--config=a=b -Z next -Znext --offline --frozen"
    assert run("guest", "build-rust", "ws", "--", "-v", *counting.split(), "--keep-going").exit_code == 0
    assert cargo.asked("cargo metadata")[0].endswith(f" wasm32-wasip1 {counting}")
    assert cargo.asked()[0].endswith(f" -v {counting} --keep-going")


def test_other_arguments_leave_the_packages(run: Run, cargo: StandIn) -> None:
    assert run("guest", "build-rust", "ws", "--", "--all-features", "--profile", "x").exit_code == 0
    assert cargo.asked()[0].endswith("-p storage:0.1.0 -p facade:0.1.0 --all-features --profile x")


@pytest.mark.parametrize("argument", ["--target", "--target=x", "--message-format=json", "--manifest-path"])
def test_arguments_that_are_chosen_here(run: Run, cargo: StandIn, argument: str) -> None:
    done = run("guest", "build-rust", "ws", "--", argument)
    assert done.exit_code == 2
    assert f"`{argument.partition('=')[0]}` can't be passed to cargo, as marine-gen sets it" in done.stderr
    assert cargo.asked("") == []


def test_errors_of_cargo_pass_through(process: Process, folder: Path, cargo: StandIn) -> None:
    message = "\x1b[1m\x1b[91merror\x1b[0m: no such thing\n"
    cargo.save(code=101, errors=message, output="printed by a build script\n{not json\n[1]\n")
    done = process("guest", "build-rust", "ws")
    assert (done.returncode, done.stdout) == (101, "")
    assert sorted(done.stderr.splitlines()) == sorted(
        [message.strip(), "printed by a build script", "{not json", "[1]"]
    )
    assert not (folder / "ws" / "artifacts").exists()
    cargo.save(metadata_code=7, resolving=message)
    done = process("guest", "build-rust", "ws")
    assert (done.returncode, done.stdout, done.stderr) == (7, "", message)


def test_the_help_page_of_cargo(run: Run, cargo: StandIn) -> None:
    cargo.save(output="Usage: cargo build\n", modules=[], finished=False)
    done = run("guest", "build-rust", "ws", "--", "--help")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "Usage: cargo build\n")


def test_an_interrupt_ends_cargo(folder: Path, cargo: StandIn) -> None:
    """Also one that only this process hears of, as from a supervisor."""
    cargo.save(seconds=100)
    command = [sys.executable, "-c", INTERRUPTIBLE, "guest", "build-rust", "ws"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not cargo.asked("waiting"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, errors.strip()) == (130, "error: interrupted")
    with pytest.raises(ProcessLookupError):
        os.kill(int(cargo.asked("waiting")[0]), 0)


def test_a_cargo_that_is_killed(run: Run, cargo: StandIn) -> None:
    cargo.save(code=-signal.SIGKILL)
    assert run("guest", "build-rust", "ws").exit_code == 128 + signal.SIGKILL


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"packages": [1]}', "[" * 100_000])
def test_metadata_that_cannot_be_read(run: Run, cargo: StandIn, text: str) -> None:
    cargo.save(metadata=text)
    done = run("guest", "build-rust", "ws")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: what `cargo metadata` printed can't be read: ")


def test_messages_that_cannot_be_read(run: Run, cargo: StandIn) -> None:
    cargo.save(output='{"reason": "compiler-artifact"}\n')
    done = run("guest", "build-rust", "ws")
    assert done.stderr.startswith("error: what `cargo build` printed can't be read: ")

"""`marine-gen completion`: scripts for three shells, and bash really completing with one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.artifact import ENGINES
from marine_gen.cli.app import COMMANDS
from marine_gen.cli.commands.completion import SHELLS

Run = Callable[..., Result]
BASH = shutil.which("bash")


@pytest.mark.parametrize("shell", SHELLS)
def test_script_asks_the_command(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_MARINE_GEN_COMPLETE={shell}_complete" in result.stdout


def test_other_shells(run: Run) -> None:
    result = run("completion", "tcsh")
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


@pytest.fixture
def complete(run: Run, tmp_path: Path) -> Callable[..., list[str]]:
    """Completions that bash offers behind the words of a command line, the last of them incomplete."""
    assert BASH is not None, "these tests run bash"
    (tmp_path / "script").write_text(run("completion", "bash").stdout)
    program = tmp_path / "marine-gen"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m marine_gen "$@"\n')
    program.chmod(0o755)
    # Without a terminal bash completes nothing by itself, so the registered function is called as bash would call it.
    code = (
        'source script; complete -p marine-gen >&2; COMP_WORDS=(marine-gen "$@"); COMP_CWORD=$#; '
        '_marine_gen_completion marine-gen; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def offer(*words: str) -> list[str]:
        environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            [BASH, "--norc", "-c", code, "bash", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == "complete -o nosort -F _marine_gen_completion marine-gen\n"
        return done.stdout.splitlines()

    return offer


def test_bash_completes_commands(complete: Callable[..., list[str]]) -> None:
    assert complete("") == list(COMMANDS)
    assert complete("ch") == ["check"]
    assert complete("help", "ch") == ["check"]
    assert complete("help", "set", "v") == ["version"]


def test_bash_completes_options_and_their_values(complete: Callable[..., list[str]]) -> None:
    assert complete("interface", "--i") == ["--idl"]
    assert complete("run", "--engine", "") == list(ENGINES)
    assert complete("completion", "f") == ["fish"]


@pytest.mark.parametrize(
    ("shell", "words", "last", "offered"),
    [
        ("zsh", "marine-gen gu", "1", "plain\nguest\nMake modules from C and Rust.\n"),
        ("fish", "marine-gen gu", "gu", "plain,guest\tMake modules from C and Rust.\n"),
        ("zsh", "marine-gen run --engine fu", "3", "plain\nfused\n_\n"),
        ("fish", "marine-gen run --engine fu", "fu", "plain,fused\n"),
    ],
)
def test_what_the_scripts_of_zsh_and_fish_are_answered(shell: str, words: str, last: str, offered: str) -> None:
    """Neither shell is asked for: these are the requests that their scripts make."""
    request = {"_MARINE_GEN_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": last}
    code = "from marine_gen.cli import cli; cli.main(prog_name='marine-gen')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | request, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == (offered, "")

"""Examples of the README and the documentation are run: Python blocks, sessions, commands with their output."""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from tests.support.markdown import Block, blocks, output_pattern
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "examples" / "curl_service" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = Path(sys.executable).with_name("marine-gen")


@dataclass(frozen=True)
class Command:
    """A command line of a `console` block with the output that the page shows."""

    block: Block
    text: str
    output: str

    def __str__(self) -> str:
        return f"{self.block}:{self.text[:60]}"


def commands(block: Block) -> Iterator[Command]:
    """The commands of a `console` block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        text, _, output = part.partition("\n")
        yield Command(block, text, output)


def language(name: str) -> list[Block]:
    """The blocks of all pages in one language."""
    return [block for page in PAGES for block in blocks(page, name)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory that looks like a clone of the project, where commands may write to `build`."""
    for name in ("tests", "examples", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(command: Command, folder: Path, *, process: bool) -> tuple[int, str]:
    """The exit code and the output of a command, messages behind data."""
    program, *arguments = shlex.split(command.text)
    assert program == "marine-gen", f"{command}: pages show sessions with marine-gen only"
    if not process:
        with contextlib.chdir(folder):
            result = CliRunner().invoke(cli, arguments, env={"NO_COLOR": "1"}, prog_name="marine-gen")
        return result.exit_code, result.stdout + result.stderr
    done = subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def shown(output: str) -> tuple[int, re.Pattern[str]]:
    """The exit code and the output that a page shows."""
    code = 0
    if match := re.search(r"^\[exit code (\d+)\]\n", output, flags=re.MULTILINE):
        code, output = int(match[1]), output.replace(match[0], "")
    return code, output_pattern(output)


@pytest.mark.parametrize("block", language("python"), ids=str)
def test_python_block_runs(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source = "\n" * (block.line - 1) + block.text
    exec(compile(source, str(block.page), "exec", dont_inherit=True), {"__name__": "__main__"})


class Checker(doctest.OutputChecker):
    """Python 3.14 adds suggestions of its own to messages."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, re.sub(r"\. Did you mean: '\w+'\?$", "", got, flags=re.M), optionflags)


@pytest.mark.parametrize("block", language("pycon"), ids=str)
def test_python_session_is_as_shown(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(block.text, {}, str(block), str(block.page), block.line - 1)
    output: list[str] = []
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS)
    failed = runner.run(test, out=output.append).failed
    assert not failed, "".join(output)


@pytest.mark.parametrize("process", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["here", "process"])
@pytest.mark.parametrize("block", language("console"), ids=str)
def test_commands_print_what_is_shown(block: Block, clone: Path, process: bool) -> None:
    found = list(commands(block))
    assert found, "a console block without a command"
    for command in found:
        wanted_code, wanted = shown(command.output)
        code, output = run(command, clone, process=process)
        assert code == wanted_code, f"{command}\n{output}"
        assert wanted.fullmatch(output), f"{command}\n--- printed\n{output}\n--- shown\n{command.output}"


def test_there_is_something_to_run() -> None:
    assert len(language("python")) >= 8
    assert len(language("console")) >= 6
    assert any(block.page.name == "README.md" for block in language("python"))

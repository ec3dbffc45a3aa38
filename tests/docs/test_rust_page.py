"""The page about Rust: its files are those that the command writes, and its commands run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from marine_gen.guest.rust import new_rust_guest
from tests.rust.test_build import must, variables
from tests.support.markdown import Block, blocks, output_pattern
from tests.support.packages import mypy
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "rust.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"

__all__ = ["variables"]  # a fixture


def with_text(page: Path, language: str, text: str) -> Block:
    """The block of a page that contains a text."""
    (block,) = (block for block in blocks(page, language) if text in block.text)
    return block


def script(block: Block, folder: Path, variables: Mapping[str, str]) -> str:
    """The output of the commands of a block."""
    return must(["bash", "-e", "-c", block.text], folder, variables)


def test_the_page_shows_a_new_crate() -> None:
    assert with_text(PAGE, "rust", "MountedBinaryResult").text == new_rust_guest("greeter")["greeter/src/main.rs"]


def test_the_tutorial_shows_the_commands_of_the_page() -> None:
    shown = with_text(TUTORIAL, "sh", "--rust").text
    assert shown.replace("hello", "greeter") == with_text(PAGE, "sh", "guest new --rust").text
    assert len([shlex.split(line) for line in shown.splitlines()]) == 3


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, variables: Mapping[str, str]) -> None:
    printed = script(with_text(PAGE, "sh", "guest new --rust"), tmp_path, variables)
    assert output_pattern(with_text(PAGE, "text", "Hello, World").text).fullmatch(printed.splitlines()[-1] + "\n")
    script(with_text(PAGE, "sh", "cargo new"), tmp_path, variables)
    crate = tmp_path / "counter"
    (crate / "src" / "main.rs").write_text(with_text(PAGE, "rust", "AtomicU32").text)
    (crate / "Config.toml").write_text(with_text(PAGE, "toml", "counter").text)
    assert "func count(text: string) -> Count" in script(with_text(PAGE, "sh", "--interface"), crate, variables)
    program = with_text(PAGE, "py", "counter_service").text
    (crate / "client.py").write_text(program)
    assert must([sys.executable, "client.py"], crate, variables) == with_text(PAGE, "text", "['one', 'two']").text
    code, output = mypy(crate, "client.py", paths=[crate])
    assert code == 0, output

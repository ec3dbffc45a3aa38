"""The tutorials in C: what they show of files is what the commands write, and their commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from marine_gen.guest import new_guest, write_glue
from marine_gen.idl import parse_description
from tests.support.available import needs_compiler
from tests.support.markdown import Block, blocks
from tests.support.packages import mypy
from tests.support.paths import ROOT

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "guest-kit.md"


def only(page: Path, language: str) -> Block:
    """The one block of `page` in a language."""
    (block,) = blocks(page, language)
    return block


def test_the_readme_shows_a_new_module() -> None:
    files = new_guest("greeter")
    assert only(README, "idl").text == files["greeter.idl"]
    assert only(README, "c").text == files["greeter.c"]


def test_the_page_shows_generated_glue() -> None:
    description = parse_description(only(PAGE, "idl").text, str(PAGE))
    header = write_glue(description, "page", generator="").header
    body = re.search(r'#include "marine\.h"\n\n(.*?)\n/\* Copies of records', header, re.DOTALL)
    assert body is not None
    shown, store = (block.text for block in blocks(PAGE, "c"))
    assert shown == body[1]
    assert "Page_array_keep_push(&pages, page)" in store


@pytest.mark.guests
@needs_compiler
def test_the_tutorial_runs(tmp_path: Path) -> None:
    commands = "".join(block.text for block in blocks(README, "sh") if "greeter" in block.text)
    assert commands.count("\n") == 3
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (program,) = (block.text for block in blocks(README, "py") if "greeter_service" in block.text)
    (tmp_path / "client.py").write_text(program)
    printed = subprocess.run(
        [sys.executable, "client.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    (shown,) = (block.text for block in blocks(README, "text") if block.text.startswith("Hello, World"))
    assert printed.stdout == shown
    code, output = mypy(tmp_path, "client.py", paths=[tmp_path])
    assert code == 0, output
    (tmp_path / "wrong.py").write_text(program.replace('"World"', "7"))
    assert mypy(tmp_path, "wrong.py", paths=[tmp_path])[0] == 1

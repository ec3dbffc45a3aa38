"""The tutorials in C: what they show of files is what the commands write, and their commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from marine_gen.guest import new_guest, write_glue
from marine_gen.idl import parse_description
from tests.support.available import needs_compiler
from tests.support.markdown import Block, blocks
from tests.support.packages import mypy
from tests.support.paths import ROOT
from tests.support.served import serving

TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGE = ROOT / "docs" / "guest-kit.md"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def only(page: Path, language: str) -> Block:
    """The one block of `page` in a language."""
    (block,) = blocks(page, language)
    return block


def test_the_tutorial_shows_a_new_module() -> None:
    files = new_guest("greeter")
    assert only(TUTORIAL, "idl").text == files["greeter.idl"]
    assert only(TUTORIAL, "c").text == files["greeter.c"]


def test_the_page_shows_generated_glue() -> None:
    description = parse_description(only(PAGE, "idl").text, str(PAGE))
    header = write_glue(description, "page", generator="").header
    body = re.search(r'#include "marine\.h"\n\n(.*?)\n/\* Copies of records', header, re.DOTALL)
    assert body is not None
    shown, store = (block.text for block in blocks(PAGE, "c"))
    assert shown == body[1]
    assert "Page_array_keep_push(&pages, page)" in store


def run(commands: str, folder: Path, **variables: str) -> str:
    """The output of commands; they have to succeed without a word on stderr."""
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=folder,
        env=os.environ | {"PATH": PATH, "NO_COLOR": "1"} | variables,
        capture_output=True,
        text=True,
        timeout=400,  # at first, the C compiler builds its library
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.guests
@needs_compiler
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Every command of the page but those for Rust, which `test_rust_page` runs on the page about it."""
    scripts = [block.text for block in blocks(TUTORIAL, "sh") if "rust" not in block.text]
    module, build, serve, call = scripts
    assert [text.count("\n") for text in scripts] == [3, 1, 1, 1]
    answer, printed, served = (block.text for block in blocks(TUTORIAL, "text"))
    assert run(module, tmp_path).endswith(answer)
    run(build, tmp_path)
    program = only(TUTORIAL, "py").text
    (tmp_path / "client.py").write_text(program)
    assert run(f"{sys.executable} client.py", tmp_path) == printed
    code, output = mypy(tmp_path, "client.py", paths=[tmp_path])
    assert code == 0, output
    (tmp_path / "wrong.py").write_text(program.replace('"World"', "7"))
    assert mypy(tmp_path, "wrong.py", paths=[tmp_path])[0] == 1
    assert shlex.split(serve)[:3] == ["marine-gen", "serve", "greeter_service"]
    with serving(tmp_path / "greeter_service") as server:
        arguments = shlex.split(call.replace("http://127.0.0.1:8080", server.url.rstrip("/")))
        assert arguments[0] == "curl"
        done = httpx.post(arguments[1], headers=dict([arguments[3].split(": ")]), content=arguments[5])
    assert done.text + "\n" == served

"""`marine-gen graph`: pictures and pages from every form of input, and every way to fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result

from marine_gen.artifact import ENGINES
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER
from tests.support.graphs import HOSTILE_MODULE, hostile_service

Run = Callable[..., Result]
CONFIG = EXAMPLE_FOLDER / "Config.toml"


def test_a_picture_on_stdout(run: Run) -> None:
    result = run("graph", CONFIG)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ElementTree.fromstring(result.stdout.encode()).tag == "{http://www.w3.org/2000/svg}svg"


def test_paths_of_the_service_are_relative(run: Run) -> None:
    assert str(EXAMPLE_FOLDER) not in run("graph", CONFIG).stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_has_the_code_that_runs(run: Run, service: Callable[..., Path], tmp_path: Path, engine: str) -> None:
    path = tmp_path / "out.HTML"
    result = run("graph", service("donkey", "shrek"), "-o", path, "--engine", engine)
    assert (result.exit_code, result.output) == (0, "")
    text = path.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert ("(func $import.0" in text) == (engine == "fused")
    assert ("def __import_" in text) == (engine == "closures")
    assert "call-core" in text


def test_costs(run: Run, service: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "out.svg"
    assert run("graph", service("donkey", "shrek"), "-o", path, "--measure").exit_code == 0
    text = path.read_text("utf-8")
    assert text.count('class="g-cost"') == 3
    assert "Cost: median of 5 rounds" in text.replace("\n", " ")


def test_a_directory_and_a_module(run: Run, service: Callable[..., Path], tmp_path: Path) -> None:
    assert run("build", service("donkey", "shrek"), "-o", tmp_path / "built").exit_code == 0
    assert "donkey.greeting(" in run("graph", tmp_path / "built").stdout
    assert "greeting(name: string)" in run("graph", GUESTS_FOLDER / "greeting.wasm").stdout


def test_the_same_twice(run: Run) -> None:
    assert run("graph", CONFIG).stdout == run("graph", CONFIG).stdout


@pytest.mark.parametrize("name", ["out", "out.png", "out.svgz"])
def test_other_formats_are_wrong_usage(run: Run, name: str, tmp_path: Path) -> None:
    result = run("graph", CONFIG, "-o", tmp_path / name)
    assert result.exit_code == 2
    assert "must end in .svg or .html" in result.stderr
    assert not (tmp_path / name).exists()


def test_what_does_not_fit_together(run: Run) -> None:
    result = run("graph", GUESTS_FOLDER / "shrek.wasm")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "imports `donkey.greeting`" in result.stderr


@pytest.mark.parametrize("target", ["missing.toml", "."])
def test_what_can_not_be_read(run: Run, target: str, tmp_path: Path) -> None:
    result = run("graph", tmp_path / target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")


def test_a_place_that_can_not_be_written(run: Run, tmp_path: Path) -> None:
    result = run("graph", CONFIG, "-o", tmp_path / "missing" / "out.svg")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: `{tmp_path / 'missing' / 'out.svg'}` can't be written: ")


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_names_in_the_code_that_is_shown(run: Run, tmp_path: Path, engine: str) -> None:
    module = tmp_path / "hostile.wasm"
    module.write_bytes(hostile_service()[HOSTILE_MODULE])
    path = tmp_path / "out.html"
    assert run("graph", module, "-o", path, "--engine", engine).exit_code == 0
    text = path.read_text("utf-8")
    shown = r"\n\x20-\x7e\xa0-\u200a\u2010-\u2027\u2030-\ud7ff\ue000-\ufefe\uff00-\uffef\ufffd\U00010000-\U0010ffff"
    assert not re.search(f"[^{shown}]", text)
    assert text.count("<script>") == 1

"""The programs of the page about components run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.npm.test_components import component, written
from tests.support.component_hosts import JCO, NODE, SHIM, in_node, run, wasmtime
from tests.support.engines import guest
from tests.support.markdown import blocks
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "components.md"


@pytest.mark.npm
@pytest.mark.slow
def test_the_programs_run(tmp_path: Path) -> None:
    made = component(tmp_path, written(tmp_path, "greeting", guest("greeting")))
    (program,) = blocks(PAGE, "js")
    assert in_node(made, program.text) == "Hi, John\n"
    (line,) = (block.text for block in blocks(PAGE, "sh") if "John" in block.text)
    words = shlex.split(line.replace("greeting.component.wasm", str(made)))
    assert words[0] == "wasmtime"
    assert run(tmp_path, [wasmtime(), *words[1:]]) == '"Hi, John"\n'


def test_the_table_has_the_versions_that_are_installed() -> None:
    text = PAGE.read_text("utf-8")
    assert f"| jco, preview2-shim | {JCO}, {SHIM} |" in text
    assert f"| Node.js | {NODE} |" in text

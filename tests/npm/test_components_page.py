"""The programs of the page about components run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.npm.test_components import component, written
from tests.support.component_hosts import CACHE, JCO, LTS, NEWEST_NODE, NODE, SHIM, in_node, run, wasmtime
from tests.support.engines import guest
from tests.support.markdown import blocks
from tests.support.paths import ROOT

CARGO_TIME = int(os.environ.get("MARINE_GEN_CARGO_SECONDS", "1800"))
"""Seconds for cargo, which compiles Wasmtime when it runs for the first time."""

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


@pytest.mark.slow
def test_the_rust_program_runs(tmp_path: Path) -> None:
    """The crates that cargo builds stay in the cache of the tests; the first time takes minutes."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    (manifest,), (program,) = blocks(PAGE, "toml"), blocks(PAGE, "rust")
    (tmp_path / "Cargo.toml").write_text(manifest.text)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.rs").write_text(program.text)
    out = component(tmp_path, written(tmp_path, "greeting", guest("greeting")), "--wit", tmp_path / "greeting.wit")
    out.rename(tmp_path / "greeting.component.wasm")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(CACHE / "cargo")}
    done = subprocess.run(
        [cargo, "run", "--quiet"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=CARGO_TIME,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Hi, John\n"), done.stderr


def test_the_table_has_the_versions_that_are_installed() -> None:
    text = PAGE.read_text("utf-8")
    assert f"| jco, preview2-shim | {JCO}, {SHIM} |" in text
    assert f"| Node.js | {NODE}, {NEWEST_NODE} |" in text
    assert f", {LTS} | strings" in text
    (manifest,) = blocks(PAGE, "toml")
    crate = re.search(r'^wasmtime = { version = "(\d+)"', manifest.text, re.MULTILINE)
    assert crate is not None
    assert f"| wasmtime, crate of Rust | {crate[1]}." in text

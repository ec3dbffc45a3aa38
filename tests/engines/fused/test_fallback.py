"""Adapters that the fused generator can't do run as closures: the others stay fused, and it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import marine_gen
import marine_runtime
from marine_gen.artifact import ENGINES, fuse
from marine_gen.artifact.workbench import open_workbench
from marine_gen.cli import cli
from tests.support.engines import assemble

WIDE = 600  # strings, two Wasm parameters each, and Wasm takes a thousand

TEXT = f"""(@interface it_version "0.20.0")
(@interface type (func {"".join(f"(param $p{index}: string)" for index in range(WIDE))} (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: u32) (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface export "wide" (func 1))
(@interface export "narrow" (func 3))
(@interface func (type 0) arg.get 3 string.size call-core 0 u32.from_i32)
(@interface func (type 2) arg.get 0 i32.from_u32 call-core 1 u32.from_i32)
(@interface implement (func 1) (func 0))
(@interface implement (func 3) (func 2))"""

MODULE = assemble(
    """(module (memory (export "memory") 1)
  (func (export "wide") (param i32) (result i32) (local.get 0))
  (func (export "narrow") (param i32) (result i32) (local.get 0)))""",
    TEXT,
)
SENTENCE = "module `m`: the export adapter of `wide` runs as a closure, as it can't be fused: not a valid Wasm module: "


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_runs_it(engine: str) -> None:
    with marine_gen.load({"m": MODULE}, engine=engine) as service:
        assert service.call("m", "wide", ["abc"] * WIDE) == 3
        assert service.call("m", "narrow", [7]) == 7
        assert [item.startswith(SENTENCE) for item in service.warnings] == [True] * (engine == "fused")


def test_builds_say_so_too(tmp_path: Path) -> None:
    Path(tmp_path, "m.wasm").write_bytes(MODULE)
    result = CliRunner().invoke(cli, ["build", str(tmp_path / "m.wasm"), "-o", str(tmp_path / "out")])
    assert SENTENCE in result.stderr
    with marine_runtime.load(tmp_path / "out") as service:
        assert service.warnings[0].startswith(SENTENCE)
        assert service.call("m", "wide", ["abc"] * WIDE) == 3
    with marine_runtime.load(tmp_path / "out", engine="closures") as service:
        assert service.warnings == ()
    Path(tmp_path, "Config.toml").write_text(
        'total_memory_limit = "Infinity"\nmodules_dir = "."\n[[module]]\nname = "m"\n', "utf-8"
    )
    result = CliRunner().invoke(cli, ["check", "--verbose", str(tmp_path / "Config.toml")])
    assert "unfused export wide: not a valid Wasm module" in result.stdout


def test_check_says_so_without_being_asked(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(MODULE)
    result = CliRunner().invoke(cli, ["check", str(path)])
    assert (result.exit_code, result.stderr.count("warning: ")) == (0, 1)
    assert f"warning: {path}: {SENTENCE}" in result.stderr
    (report,) = json.loads(CliRunner().invoke(cli, ["check", str(path), "--json"]).stdout)
    assert [item.startswith(SENTENCE) for item in report["closures"]] == [True]


def test_a_module_that_is_loaded_later_says_so() -> None:
    work = open_workbench()
    with work.service:
        work.load("m", MODULE)
        assert [item.startswith(SENTENCE) for item in work.service.warnings] == [True]
        assert work.service.call("m", "wide", ["abc"] * WIDE) == 3


def test_the_interactive_loop_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(MODULE)
    result = CliRunner().invoke(cli, ["repl"], input=f"new {path}\nload n {path}\n")
    assert f"note: {SENTENCE}" in result.stderr
    assert f"note: {SENTENCE.replace('`m`', '`n`')}" in result.stderr


def test_bench_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(MODULE)
    result = CliRunner().invoke(cli, ["bench", str(path), "m.narrow", "[1]", "--rounds", "1", "--min-time", "0"])
    assert [SENTENCE in line for line in result.stderr.splitlines() if "warning" in line] == [True]


def test_explain_says_so(tmp_path: Path) -> None:
    Path(tmp_path, "m.wasm").write_bytes(MODULE)
    result = CliRunner().invoke(cli, ["explain", str(tmp_path / "m.wasm"), "wide"])
    assert "function params size is out of bounds" in result.stdout
    assert "what runs is its closure" in result.stdout
    result = CliRunner().invoke(cli, ["explain", str(tmp_path / "m.wasm"), "narrow"])
    assert "Fused IR" in result.stdout
    result = CliRunner().invoke(cli, ["explain", str(tmp_path / "m.wasm")])
    assert f"warning: {SENTENCE}" in result.stderr


def test_recursion_of_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fuse.generate_glue

    def generate(module: Any, *args: Any, **options: Any) -> Any:
        if "wide" in module.exports:
            raise RecursionError
        return real(module, *args, **options)

    monkeypatch.setattr(fuse, "generate_glue", generate)
    with marine_gen.load({"m": MODULE}, cache=False) as service:
        assert service.call("m", "wide", ["abc"] * WIDE) == 3
        assert service.warnings == (SENTENCE.partition("fused: ")[0] + "fused: its types or its code nest too deeply",)


def test_limits_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse, "MAX_MODULES", 1)
    with marine_gen.load({"m": MODULE, "n": MODULE}, cache=False) as service:
        assert len(service.warnings) == 4
        assert service.warnings[1].endswith(
            "`narrow` runs as a closure, as it can't be fused: the service has more than 1 modules"
        )
    monkeypatch.undo()
    monkeypatch.setattr(fuse, "MAX_SITES", 0)
    with marine_gen.load({"m": MODULE}, cache=False) as service:
        assert "more than 0 sites" in service.warnings[1]
        assert service.call("m", "narrow", [7]) == 7

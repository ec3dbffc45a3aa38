"""One invalid adapter: its function is left out, and everything else of the service works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import marine_gen
import marine_runtime
from marine_gen.artifact import ENGINES, open_workbench
from marine_gen.cli import cli
from marine_gen.diagnostics import DiagnosticError
from marine_runtime import ArgumentError, LeftOutError, LoadError, MarineWarning
from marine_runtime.pool import ServicePool
from tests.support.engines import assemble

WAT = """(module
  (import "other" "number" (func $number (param i32) (result i32)))
  (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "bad") (param i32) (result i32) (local.get 0))
  (func (export "through") (param i32) (result i32) (call $number (local.get 0))))"""

TEXT = """(@interface it_version "0.20.0")
(@interface type (func (param $n: u32) (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: string) (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: u32) (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface export "double" (func 1))
(@interface export "bad" (func 3))
(@interface export "through" (func 5))
(@interface import "other" "number" (func (type 6)))
(@interface import "other" "number" (func (type 0)))
(@interface func (type 0) arg.get 0 i32.from_u32 call-core 0 u32.from_i32)
(@interface func (type 2) arg.get 0 string.size call-core 1)
(@interface func (type 4) arg.get 0 i32.from_u32 call-core 2 u32.from_i32)
(@interface func (type 7) arg.get 0 BODY)
(@interface implement (func 1) (func 0))
(@interface implement (func 3) (func 2))
(@interface implement (func 5) (func 4))
(@interface implement (func 6) (func 7))"""

OTHER = assemble(
    """(module
  (func (export "number") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "fine") (param i32) (result i32) (local.get 0)))""",
    """(@interface it_version "0.20.0")
(@interface type (func (param $n: u32) (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: u32) (result u32)))
(@interface type (func (param $n: i32) (result i32)))
(@interface export "number" (func 1))
(@interface export "fine" (func 3))
(@interface func (type 0) arg.get 0 i32.from_u32 call-core 0 u32.from_i32)
(@interface func (type 2) arg.get 0 i32.from_u32 call-core 1 u32.from_i32)
(@interface implement (func 1) (func 0))
(@interface implement (func 3) (func 2))""",
)
GOOD_IMPORT = "u32.from_i32 call-core 3 i32.from_u32"
PART = assemble(WAT, TEXT.replace("BODY", GOOD_IMPORT))
BAD_IMPORT = assemble(WAT, TEXT.replace("BODY", "call-core 3"))


def service(part: bytes = PART, **options: Any) -> marine_gen.Service:
    with pytest.warns(MarineWarning):
        return marine_gen.load({"other": OTHER, "part": part}, **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_other_functions_work(engine: str) -> None:
    with pytest.warns(MarineWarning, match="the function `bad` has an invalid adapter, and is left out: result 0"):
        loaded = marine_gen.load({"other": OTHER, "part": PART}, engine=engine)
    with loaded:
        assert loaded.call("part", "double", [4]) == 8
        assert loaded.call("part", "through", [4]) == 5
        assert list(loaded.modules.part) == ["double", "through"]
        assert "bad" not in str(loaded.interface)
        (sentence,) = loaded.warnings
        assert sentence.startswith("module `part`: the function `bad`")


CALLS: list[Callable[[Any], Any]] = [
    lambda it: it.call("part", "bad", ["x"]),
    lambda it: it.call("part", "bad", ["x"], timeout=1.0),
    lambda it: it.call_batch("part", "bad", [["x"]]),
    lambda it: it.call_json("part", "bad", "[]"),
    lambda it: it.modules.part.bad("x"),
    lambda it: it.modules.part["bad"]("x", y=1),
]


@pytest.mark.parametrize("call", CALLS)
def test_calling_it_raises_with_the_cause(call: Callable[[Any], Any]) -> None:
    with service() as loaded, pytest.raises(LeftOutError, match="`bad` of module `part` can't be called") as caught:
        call(loaded)
    assert "error[MG503]" in str(caught.value.__cause__)
    assert "export adapter of `bad`" in str(caught.value.__cause__)


def test_others_are_still_unknown() -> None:
    with service() as loaded, pytest.raises(ArgumentError, match="there is no function `bat`"):
        loaded.call("part", "bat")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_invalid_import_fails_when_it_is_called(engine: str) -> None:
    with service(BAD_IMPORT, engine=engine) as loaded:
        assert loaded.call("part", "double", [4]) == 8
        with pytest.raises(marine_runtime.CallError, match=r"`other\.number` of module `part` can't be called"):
            loaded.call("part", "through", [4])
        assert len(loaded.warnings) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_importers_of_what_is_left_out_are_linked(engine: str) -> None:
    text = marine_gen.artifact.compile_module("other", OTHER).text()
    damaged = re.sub(r"\n *u32.from_i32", "", text, count=1)
    assert damaged != text
    broken = assemble(
        """(module (func (export "number") (param i32) (result i32) (local.get 0))
  (func (export "fine") (param i32) (result i32) (local.get 0)))""",
        damaged,
    )
    with pytest.warns(MarineWarning):
        loaded = marine_gen.load({"other": broken, "part": PART}, engine=engine)
    with loaded:
        assert loaded.call("part", "double", [4]) == 8
        with pytest.raises(marine_runtime.CallError, match="`number` of module `other` can't be called"):
            loaded.call("part", "through", [4])


def test_strict_refuses() -> None:
    for _ in range(2):  # also when there is a build without the function
        with pytest.raises(DiagnosticError, match="MG503"):
            marine_gen.load({"other": OTHER, "part": PART}, strict=True)
        service().close()
    with pytest.raises(marine_runtime.ConfigError, match="`strict` must be a boolean, not a string"):
        marine_gen.load({"other": OTHER}, strict="yes")  # type: ignore[arg-type]


def test_nothing_valid_is_refused() -> None:
    text = TEXT.replace("BODY", GOOD_IMPORT).replace(" u32.from_i32)", ")")
    with pytest.raises(DiagnosticError):
        marine_gen.load({"other": OTHER, "part": assemble(WAT, text)})


def test_parts_that_adapters_need(tmp_path: Path) -> None:
    """Mistakes outside of adapters take down those that need the part, and no others."""
    good = TEXT.replace("BODY", GOOD_IMPORT).replace("string.size call-core 1", "string.size call-core 1 u32.from_i32")
    for damage, functions in (
        (('export "bad"', 'export "absent"'), ["double", "through"]),
        (("(func (param $n: string)", "(func (param $n: record 0)"), ["double", "through"]),
        (("(func 3) (func 2)", "(func 3) (func 99)"), ["double", "through"]),
        (("arg.get 0 string.size", "arg.get 0 record.lift_memory 3 string.size"), ["double", "through"]),
        (("call-core 1", "call-core 77"), ["double", "through"]),
    ):
        text = good.replace(*damage)
        with pytest.warns(MarineWarning):
            loaded = marine_gen.load({"other": OTHER, "part": assemble(WAT, text)})
        with loaded:
            assert list(loaded.modules.part) == functions, damage
            assert loaded.call("part", "double", [1]) == 2


def test_built_services_know_it_too(tmp_path: Path) -> None:
    with pytest.warns(MarineWarning):
        marine_gen.build({"other": OTHER, "part": PART}, tmp_path / "built")
    with pytest.warns(MarineWarning):
        loaded = marine_runtime.load(tmp_path / "built")
    with loaded, pytest.raises(LeftOutError):
        loaded.call("part", "bad", ["x"])
    with pytest.raises(LoadError, match="MG503"):
        marine_runtime.load(tmp_path / "built", strict=True)
    with pytest.raises(DiagnosticError, match="MG503"):
        marine_gen.build({"other": OTHER, "part": PART}, tmp_path / "built", strict=True)


@pytest.mark.filterwarnings("ignore::marine_runtime.MarineWarning")
def test_pools_know_it_too(tmp_path: Path) -> None:
    marine_gen.build({"other": OTHER, "part": PART}, tmp_path / "built")
    with ServicePool(tmp_path / "built", workers=1, kind="threads") as pool:
        assert pool.call("part", "double", [3]) == 6
        for call in (lambda: pool.call("part", "bad", ["x"]), lambda: pool.modules.part.bad("x")):
            with pytest.raises(LeftOutError, match="MG503"):
                call()


def test_modules_of_a_running_service() -> None:
    work = open_workbench(None, engine="closures")
    with work.service as loaded:
        work.load("other", OTHER)
        with pytest.warns(MarineWarning):
            work.load("part", PART)
        assert len(loaded.warnings) == 1
        assert loaded.call("part", "double", [3]) == 6
    strict = open_workbench(None, strict=True)
    with strict.service:
        strict.load("other", OTHER)
        with pytest.raises(DiagnosticError):
            strict.load("part", PART)


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        (["run", "part.wasm", "part.double", "[4]"], 0, "8"),
        (["run", "part.wasm", "part.bad", '["x"]'], 1, "`bad` of module `part` can't be called"),
        (["run", "--strict", "part.wasm", "part.double", "[4]"], 1, "error[MG503]"),
        (["build", "part.wasm", "-o", "built"], 0, "wrote built"),
        (["build", "part.wasm", "-o", "built", "--strict"], 1, "error[MG503]"),
        (["repl", "part.wasm"], 0, "MG503"),
        (["repl", "part.wasm", "--strict"], 1, "error[MG503]"),
        (["check", "part.wasm"], 1, "error[MG503]"),
        (["explain", "part.wasm"], 0, "double"),
        (["explain", "part.wasm", "bad"], 1, "MG503"),
        (["graph", "part.wasm"], 0, "<svg"),
        (["aqua", "part.wasm"], 0, "double(n: u32) -> u32"),
        (["interface", "part.wasm"], 0, "func double(n: u32) -> u32"),
        (["interface", "part.wasm", "--json"], 0, '"double"'),
    ],
)
def test_commands(words: list[str], code: int, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = TEXT.splitlines()
    text = "\n".join(
        line for line in lines if "import" not in line and "(func 6)" not in line and "(type 7)" not in line
    )
    wat = WAT.replace('  (import "other" "number" (func $number (param i32) (result i32)))\n', "")
    Path("part.wasm").write_bytes(assemble(wat.replace("(call $number (local.get 0))", "(local.get 0)"), text))
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == code, result.output
    assert out in result.output
    if code == 0:
        warning = "warning: module `part`: the function `bad` has an invalid adapter"
        assert warning in result.stderr
        assert "bad" not in result.stdout

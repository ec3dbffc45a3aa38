"""`marine-gen explain`: the parts of an adapter, plain, for every form of input and every engine."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.artifact import BACKENDS, ENGINES, AdapterForm
from marine_gen.console.inputs import read_inputs
from marine_gen.inspect.check import compile_input
from marine_gen.inspect.views import Subject, views
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.golden import GOLDEN, Case, load_cases

Run = Callable[..., Result]


@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "explain.golden"), ids=str)
def test_explain_prints(run: Run, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GUESTS_FOLDER)
    result = run(*case.input.split())
    case.check(f"exit code {result.exit_code}\n{result.output}".rstrip("\n"))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_shows_something(engine: str) -> None:
    for name in ("shrek", "records_pure", "arrays_passing_effector"):
        service = [compile_input(part) for part in read_inputs(GUESTS_FOLDER / f"{name}.wasm")]
        for adapter in service[0][0].adapters:
            parts = list(views(Subject(service, 0, adapter), BACKENDS[engine].form))
            assert [part.title for part in parts[:2]] == ["Instructions", "IR"]
            assert all(part.text for part in parts)
            for part in parts:
                if part.title == "Python":  # functions of `bind`, whose variables they may change
                    compile(f"def bind():\n{textwrap.indent(part.text, '    ')}", name, "exec")


def test_fused_adapters_show_the_other_module() -> None:
    service = [
        compile_input(part) for name in ("donkey", "shrek") for part in read_inputs(GUESTS_FOLDER / f"{name}.wasm")
    ]
    adapter = service[1][0].imports["donkey", "greeting"]
    parts = {part.title: part.text for part in views(Subject(service, 1, adapter), AdapterForm.WASM)}
    assert list(parts) == ["Instructions", "IR", "Fused IR", "Wasm"]
    assert "\n(func $import.0 " in parts["Wasm"]
    assert parts["Wasm"].endswith("\n)")
    assert "$donkey.greeting" in parts["Wasm"]
    alone = [part.title for part in views(Subject(service[1:], 0, adapter), AdapterForm.WASM)]
    assert alone == ["Instructions", "IR", "Not fused", "Python"]


def test_words_of_an_adapter_may_be_one_argument(run: Run) -> None:
    path = GUESTS_FOLDER / "shrek.wasm"
    split = run("explain", path, "import", "donkey.greeting")
    assert split.stdout.startswith(
        "module shrek, import adapter of donkey.greeting\n\nInstructions\n  #0   arg.get 0\n"
    )
    assert run("explain", path, "import donkey.greeting").stdout == split.stdout
    assert run("explain", path, "shrek.import donkey.greeting").stdout == split.stdout


def test_services_and_directories(run: Run, service: Callable[..., Path], tmp_path: Path) -> None:
    config = service("donkey", "shrek")
    both = run("explain", config, "greeting")
    assert both.stdout.startswith("module donkey, export adapter of greeting\n")
    assert "\n\nmodule shrek, export adapter of greeting\n" in both.stdout
    one = run("explain", config, "shrek.greeting")
    assert one.stdout in both.stdout
    assert "donkey" not in one.stdout
    assert run("build", config, "-o", tmp_path / "built").exit_code == 0
    assert run("explain", tmp_path / "built", "shrek.greeting").stdout == one.stdout


def test_nothing_to_explain(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.it"
    path.write_text('(@interface it_version "0.28.0")')
    assert run("explain", path).stdout == "there are no adapters\n"
    assert run("explain", path, "f").exit_code == 1


def test_in_columns_on_a_wide_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marine_gen.inspect.show.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "320")
    args = ("explain", GUESTS_FOLDER / "greeting.wasm", "greeting", "--engine", "closures")
    wide = run(*args).stdout.splitlines()
    assert wide[2].split() == ["Instructions", "IR", "Paths", "Python"]
    assert wide[3].startswith("#0   arg.get 0  ")
    assert wide[3].rstrip().endswith("def __entry_greeting(name: str) -> str:")
    monkeypatch.setenv("COLUMNS", "60")
    narrow = run(*args).stdout.splitlines()
    heads = ("module ", "Instructions", "IR", "export ", "Paths", "Python", "def ")
    assert [line.rstrip() for line in narrow if line.startswith(heads)] == [
        "module greeting, export adapter of greeting",
        "Instructions",
        "IR",
        "export greeting(name: string)  ; type 6",
        "Paths",
        "Python",
        "def __entry_greeting(name: str) -> str:",
        "def __export_greeting(name: str) -> str:",
    ]


def test_the_default_is_the_engine_that_runs(run: Run) -> None:
    """`marine-gen run` takes `fused`, so what `explain` shows is its code, with every helper of both languages."""
    args = ("explain", GUESTS_FOLDER / "arrays_passing_pure.wasm", "string_type")
    shown = run(*args).stdout
    assert shown == run(*args, "--engine", ENGINES[0]).stdout
    assert shown != run(*args, "--engine", "closures").stdout
    for helper in (
        *("__entry_string_type", "__call_string_type", "__batch_string_type", "__export_string_type"),
        *("__staged_lower_array_string", "__staged_lift_array_string", "__lower_array_string", "__lift_array_string"),
    ):
        assert shown.count(f"  def {helper}(") == 1, helper
    for helper in ("fault", "stage", "pay", "check.arrays_passing_pure.array_string"):
        assert shown.count(f"  (func ${helper} ") == 1, helper
    called = {name for name in re.findall(r"\(call \$([\w.]+)", shown) if "." in name or name in ("stage", "pay")}
    imported = {"allocate", "release_objects", "get_result_ptr", "get_result_size", "string_type"}
    assert {name for name in called if f"(func ${name} " not in shown} <= {
        f"arrays_passing_pure.{name}" for name in imported
    }

"""`marine-gen explain`: the parts of an adapter, plain, for every form of input and every engine."""

from __future__ import annotations

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
def test_output(run: Run, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
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
            if parts[-1].title == "Python":
                compile(parts[-1].text, name, "exec")


def test_fused_adapters_show_the_other_module() -> None:
    service = [
        compile_input(part) for name in ("donkey", "shrek") for part in read_inputs(GUESTS_FOLDER / f"{name}.wasm")
    ]
    adapter = service[1][0].imports["donkey", "greeting"]
    parts = {part.title: part.text for part in views(Subject(service, 1, adapter), AdapterForm.WASM)}
    assert list(parts) == ["Instructions", "IR", "Fused IR", "Wasm"]
    assert parts["Wasm"].startswith("(func $import.0 ")
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
    monkeypatch.setenv("COLUMNS", "220")
    args = ("explain", GUESTS_FOLDER / "greeting.wasm", "greeting")
    wide = run(*args).stdout.splitlines()
    assert wide[2].split() == ["Instructions", "IR", "Python"]
    assert wide[3].startswith("#0   arg.get 0  ")
    assert wide[3].rstrip().endswith("def export_greeting(name: str) -> str:")
    monkeypatch.setenv("COLUMNS", "60")
    narrow = run(*args).stdout.splitlines()
    assert [line.rstrip() for line in narrow if line and not line.startswith((" ", "#"))] == [
        "module greeting, export adapter of greeting",
        "Instructions",
        "IR",
        "export greeting(name: string)  ; type 6",
        "Python",
        "def export_greeting(name: str) -> str:",
    ]

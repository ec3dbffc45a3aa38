"""`marine-gen explain`: the parts of an adapter, plain, for every form of input and every engine."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.artifact import BACKENDS, ENGINES, AdapterForm
from marine_gen.artifact.fuse import fuse_module
from marine_gen.console.inputs import read_inputs
from marine_gen.inspect.check import compile_input
from marine_gen.inspect.views import Subject, Written, views
from marine_gen.python_backend.needs import FRAME, STANDARD, own
from marine_gen.wasm_backend.stub import LINKED
from marine_runtime import support
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.samples import sampled

Run = Callable[..., Result]

SERVICES = (
    *(("donkey", "shrek"), ("shrek",), ("failing",), ("records_passing_effector", "records_passing_pure")),
    *(("arrays_passing_effector", "arrays_passing_pure"), ("arguments_passing_effector", "arguments_passing_pure")),
)


@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "explain.golden"), ids=str)
def test_explain_prints(run: Run, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GUESTS_FOLDER)
    result = run(*case.input.split())
    case.check(f"exit code {result.exit_code}\n{result.output}".rstrip("\n"))


@pytest.mark.parametrize("engine", sampled(ENGINES, ENGINES[0].__eq__))
@pytest.mark.parametrize("names", SERVICES, ids=" ".join)
def test_everything_that_runs_is_shown_once(names: tuple[str, ...], engine: str) -> None:
    service = [compile_input(part) for name in names for part in read_inputs(GUESTS_FOLDER / f"{name}.wasm")]
    written = Written()
    for position, module in enumerate(part.ir for part in service):
        output, _ = fuse_module(service[: position + 1])
        glue = output.code.glue + output.code.stub if output else ""
        imported = set(re.findall(r"^  \(import .* \(func (\$[\w.]+)", glue, re.MULTILINE))
        for adapter in module.adapters:
            parts = list(views(Subject(service, position, adapter), BACKENDS[engine].form, written))
            assert [part.title for part in parts[:2]] == ["Instructions", "IR"]
            assert all(part.text for part in parts)
            for part in parts:
                if part.title == "Python":
                    check_python(part.text)
                if part.title == "Wasm":
                    check_wasm(part.text, imported)


def check_python(text: str) -> None:
    """Valid in `bind`, whose variables functions may change; every own name is defined here, or imported or given."""
    tree = ast.parse(f"def bind():\n{textwrap.indent(text, '    ')}")
    compile(tree, "shown", "exec")
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name[:2] == "__"]
    assert len(functions) == len(set(functions))
    defined = {*functions, *(node.id for node in names if isinstance(node.ctx, ast.Store)), own("error")}
    given = {own(name) for name in ("link", *STANDARD, *FRAME, *support.__all__)}
    assert {node.id for node in names if node.id.startswith("__")} <= {*defined, *given}


def check_wasm(text: str, imported: set[str]) -> None:
    """Every function and every global is defined here, or a function of a module."""
    defined = re.findall(r"^\((?:func|global) (\$[\w.]+)", text, re.MULTILINE)
    assert len(defined) == len(set(defined))
    used = set(re.findall(r"\((?:call|global\.[gs]et) (\$[\w.]+)", text))
    assert used <= {*defined, *imported, f"${LINKED}"}


def test_fused_adapters_show_the_other_module() -> None:
    service = [
        compile_input(part) for name in ("donkey", "shrek") for part in read_inputs(GUESTS_FOLDER / f"{name}.wasm")
    ]
    adapter = service[1].ir.imports["donkey", "greeting"]
    parts = {part.title: part.text for part in views(Subject(service, 1, adapter), AdapterForm.WASM)}
    assert list(parts) == ["Instructions", "IR", "Paths", "Fused IR", "Wasm"]
    assert "\n(func $import.0 " in parts["Wasm"]
    assert parts["Wasm"].endswith("\n)")
    assert "$donkey.greeting" in parts["Wasm"]
    alone = [part.title for part in views(Subject(service[1:], 0, adapter), AdapterForm.WASM)]
    assert alone == ["Instructions", "IR", "Paths", "Python", "Fused IR", "Wasm"]


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
        *("__pack_public_array_string", "__unpack_array_string", "__lower_array_string", "__lift_array_string"),
    ):
        assert shown.count(f"  def {helper}(") == 1, helper
    for helper in ("fault", "stage", "check.arrays_passing_pure.array_string"):
        assert shown.count(f"  (func ${helper} ") == 1, helper
    called = {name for name in re.findall(r"\(call \$([\w.]+)", shown) if "." in name or name == "stage"}
    imported = {"allocate", "release_objects", "get_result_ptr", "get_result_size", "string_type"}
    assert {name for name in called if f"(func ${name} " not in shown} <= {
        f"arrays_passing_pure.{name}" for name in imported
    }

"""`marine-gen check`: findings of every stage, several per file, for every form in which modules come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.wasm import remove_custom_sections
from tests.guests.descriptions import GUESTS, GUESTS_FOLDER
from tests.support.engines import assemble, guest
from tests.support.golden import GOLDEN, Case, load_cases

Run = Callable[..., Result]


@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "check.golden"), ids=str)
def test_adapter_texts(run: Run, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("adapters.it").write_text(case.input + "\n")
    result = run("check", "adapters.it")
    case.check(f"exit code {result.exit_code}\n{result.output}".rstrip("\n"))


def test_all_guests_are_fine(run: Run) -> None:
    for item in GUESTS:
        if item.module.is_file():
            result = run("check", item.module)
            assert (result.exit_code, result.stderr) == (0, ""), item.name
            assert result.stdout.startswith(f"ok: {item.module}: module {item.name}, ")


def test_verbose_lists_functions_and_imports(run: Run) -> None:
    result = run("check", "--verbose", GUESTS_FOLDER / "shrek.wasm")
    lines = ["  func greeting(name: string) -> []string", "  needs donkey.greeting(name: string) -> string"]
    assert result.stdout.splitlines()[1:] == lines
    result = run("check", "--verbose", GUESTS_FOLDER / "logger.wasm")
    assert "  host __marine_host_api_v3.log_utf8_string\n" in result.stdout


def test_verbose_says_what_the_fused_engine_leaves_out(run: Run, tmp_path: Path) -> None:
    adapters = """(@interface it_version "0.28.0")
(@interface type (func))
(@interface type (func (param $text: string) (result string)))
(@interface func (type 1) call-core 0 arg.get 0)
(@interface export "f" (func 0))
(@interface implement (func 0) (func 1))
"""
    (tmp_path / "m.wasm").write_bytes(assemble('(module (func (export "f")))', adapters))
    config = tmp_path / "service.toml"
    config.write_text('modules_dir = "."\ntotal_memory_limit = "Infinity"\n[[module]]\nname = "m"')
    result = run("check", "--verbose", config)
    lines = ["  func f(text: string) -> string", "  unfused export f: it returns one of its own arguments"]
    assert result.stdout.splitlines()[1:] == lines
    explained = run("explain", config, "f", "--engine", "fused").stdout
    assert "\nNot fused\n  it returns one of its own arguments; what runs is its closure:\n" in explained


def test_links_are_checked_in_order(run: Run, module: Callable[[str], Path]) -> None:
    donkey, shrek = module("donkey"), module("shrek")
    assert run("check", donkey, shrek).exit_code == 0
    assert run("check", shrek).exit_code == 0  # alone, nothing is known about its neighbours
    wrong = run("check", shrek, donkey)
    assert wrong.exit_code == 1
    assert f"imports `donkey.greeting`, but `donkey` comes after it\n  --> {shrek}" in wrong.stderr
    assert wrong.stderr.endswith("\n1 error in 1 of 2 files\n")
    assert wrong.stdout.startswith(f"ok: {donkey}")


def test_every_file_is_looked_at(run: Run, module: Callable[[str], Path], tmp_path: Path) -> None:
    result = run("check", tmp_path / "missing.it", module("no_cells"), module("greeting"))
    assert result.exit_code == 1
    assert "missing.it` can't be read" in result.stderr
    assert result.stderr.count("error[MG601]") == 2
    assert result.stderr.endswith("\n3 errors in 2 of 3 files\n")
    assert "ok: " in result.stdout


def test_stages_behind_a_failed_one_are_looked_at(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(remove_custom_sections(guest("no_cells"), {"__fluence_sdk_version"}))
    result = run("check", path)
    assert "error[MG104]" in result.stderr
    assert result.stderr.count("error[MG601]") == 2


def test_function_bodies_are_validated(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    wasm = bytearray(guest("greeting"))
    start = wasm.index(b"\x41", 200)  # an i32.const inside some function
    wasm[start] = 0xFF
    path.write_bytes(wasm)
    result = run("check", path)
    assert result.exit_code == 1
    assert "error[MG103]: not a valid Wasm module" in result.stderr


def test_services(run: Run, service: Callable[..., Path]) -> None:
    fine = run("check", service("donkey", "shrek"))
    assert (fine.exit_code, fine.stderr) == (0, "")
    assert "service.toml: 2 modules\n  module donkey, 1 function, no imports\n" in fine.stdout
    wrong = run("check", service("shrek", "donkey"))
    assert wrong.exit_code == 1
    assert "service.toml (shrek)\n  help: list modules in dependency order" in wrong.stderr


def test_wrong_configurations(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    for text, message in (
        ("x", "is not valid TOML"),
        ("modules = 1", "unknown key `modules`"),
        ('modules_dir = "."\n[[module]]\nname = "none"', "the key `total_memory_limit` is missing"),
        ('modules_dir = "."\ntotal_memory_limit = 0\n[[module]]\nname = "none"', "none.wasm` can't be read"),
    ):
        path.write_text(text)
        result = run("check", path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert message in result.stderr


def test_built_directories(run: Run, service: Callable[..., Path], tmp_path: Path) -> None:
    built = tmp_path / "built"
    assert run("build", service("donkey", "shrek"), "-o", built).exit_code == 0
    assert run("check", built).stdout.startswith(f"ok: {built}: 2 modules\n")
    (built / "shrek.it").write_text("changed")
    (built / "donkey.py").unlink()
    result = run("check", built)
    assert result.exit_code == 1
    assert "shrek.it` was changed after the build: build again" in result.stderr
    assert "donkey.py` can't be read: No such file or directory" in result.stderr
    (built / "donkey.wasm").write_bytes(b"")
    assert "donkey.wasm` was changed after the build" in run("check", built).stderr
    (built / "manifest.json").write_text("{}")
    assert "it is not a manifest of a built service" in run("check", built).stderr
    shutil.rmtree(built)
    built.mkdir()
    assert "has no manifest.json" in run("check", built).stderr


def test_files_without_a_telling_name(run: Run, tmp_path: Path) -> None:
    wasm, text, noise = tmp_path / "module", tmp_path / "adapters", tmp_path / "noise"
    wasm.write_bytes(guest("greeting"))
    text.write_bytes((GUESTS_FOLDER / "greeting.it").read_bytes())
    noise.write_bytes(b"\xff\xfe")
    result = run("check", wasm, text, noise)
    assert result.stdout.count("ok: ") == 2
    assert result.stderr.startswith(f"error: `{noise}` is not UTF-8 text (byte 0)")


def test_json(run: Run, module: Callable[[str], Path], tmp_path: Path) -> None:
    result = run("check", "--json", module("greeting"), module("no_memory"), tmp_path / "none")
    assert (result.exit_code, result.stderr) == (1, "")
    fine, wrong, missing = json.loads(result.stdout)
    assert fine["ok"]
    assert fine["modules"] == [
        {
            "name": "greeting",
            "functions": ["greeting(name: string) -> string"],
            "imports": [],
            "host_imports": [],
        }
    ]
    (finding,) = wrong["findings"]
    assert not wrong["ok"]
    assert (finding["code"], finding["section"]) == ("MG505", "interface-types")
    assert finding["source"].endswith("no_memory.wasm")
    assert missing["findings"][0]["code"] is None


def test_nothing_to_check(run: Run) -> None:
    assert run("check").exit_code == 2

"""`marine-gen build` and `cache`: what is written, what is refused, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import marine_runtime
from marine_gen.cli.output import counted, human_size
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER

Run = Callable[..., Result]
GREETING = GUESTS_FOLDER / "greeting.wasm"


def test_default_directory(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("build", GREETING)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["module", "file", "size"]
    written = {path.name for path in Path("build/greeting").iterdir()}
    assert {line.split()[1] for line in lines[1:-2]} | {"manifest.json"} == written
    assert lines[-1].startswith("wrote build/greeting: 1 module, ")
    with marine_runtime.load("build/greeting") as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    again = run("build", GREETING)
    assert (again.exit_code, again.stdout) == (0, "build/greeting is up to date\n")
    assert run("build", GREETING, "--force").stdout == result.stdout


def test_several_modules(run: Run, tmp_path: Path) -> None:
    donkey, shrek = GUESTS_FOLDER / "donkey.wasm", GUESTS_FOLDER / "shrek.wasm"
    result = run("build", donkey, shrek, "-o", tmp_path / "out", "--engine", "closures")
    assert result.exit_code == 0
    assert f"wrote {tmp_path / 'out'}: 2 modules, " in result.stdout
    wrong = run("build", shrek, donkey, "-o", tmp_path / "out")
    assert wrong.exit_code == 1
    assert "help: list modules in dependency order" in wrong.stderr
    assert run("build", donkey, donkey, "-o", tmp_path / "out").stderr.startswith(
        "error: two modules are named `donkey`"
    )


def test_configuration(run: Run, tmp_path: Path) -> None:
    result = run("build", EXAMPLE_FOLDER / "Config.toml", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["name"] == "curl_service"


def test_other_directories_are_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    result = run("build", GREETING, "-o", tmp_path)
    assert result.exit_code == 1
    assert "was not written by `marine-gen build`" in result.stderr
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("name", ["..", "a/b", ".", "\\\\x"])
def test_service_names_do_not_lead_elsewhere(run: Run, tmp_path: Path, name: str) -> None:
    config = tmp_path / "service.toml"
    config.write_text(
        f'name = "{name}"\ntotal_memory_limit = "Infinity"\n[[module]]\nname = "greeting"\nload_from = "{GREETING}"\n'
    )
    result = run("build", config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a directory name: give one with -o DIR" in result.stderr


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    for args in (
        ("build",),
        ("build", tmp_path),
        ("build", GREETING, tmp_path / "x.toml"),
        ("build", GREETING, "--engine", "interpreter"),
    ):
        result = run(*args)
        assert (result.exit_code, result.stdout) == (2, "")


def test_cache(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("MARINE_GEN_CACHE", str(cache))
    assert run("cache").stdout == f"{cache}: no cached services, 0 B\n"
    run("run", GREETING, "greeting.greeting", '["x"]')
    (entry,) = cache.iterdir()
    lines = run("cache").stdout.splitlines()
    assert lines[1].split()[:2] == ["greeting", json.loads((entry / "manifest.json").read_text())["engine"]]
    assert lines[1].endswith(entry.name[:12])
    assert lines[-1].startswith(f"{cache}: 1 cached service, ")
    (entry / "manifest.json").write_text("{")
    assert "(damaged)" in run("cache").stdout
    assert run("cache", "--clear").stdout == "removed 1 cached service\n"
    assert list(cache.iterdir()) == []


def test_unusable_cache(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "file" / "cache"))
    result = run("cache")
    assert (result.exit_code, result.stdout) == (0, "the cache can't be used; `marine-gen doctor` says more\n")
    assert run("run", GREETING, "greeting.greeting", '["x"]').stdout == '"Hi, x"\n'


def test_words_for_numbers() -> None:
    assert [human_size(size) for size in (0, 999, 1000, 23_940, 999_949, 999_950, 2_000_000_000, 10**13)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "23.9 kB",
        "999.9 kB",
        "1.0 MB",
        "2.0 GB",
        "10000.0 GB",
    ]
    assert [counted(count, "file") for count in (0, 1, 2)] == ["no files", "1 file", "2 files"]

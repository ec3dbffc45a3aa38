"""`marine-gen build` and `cache`: what is written, what is refused, what is kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import marine_runtime
from marine_gen.console.output import counted, human_size
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
    assert (again.exit_code, again.stdout) == (0, "unchanged: build/greeting\n")
    assert run("build", GREETING, "--force").stdout == result.stdout


def times(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}


def test_a_build_is_repeated_when_something_changed_and_only_then(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, wasm, output = tmp_path / "service.toml", tmp_path / "greeting.wasm", tmp_path / "out"
    text = 'total_memory_limit = "Infinity"\n[[module]]\nname = "greeting"\nload_from = "greeting.wasm"\n'
    config.write_text(text)
    wasm.write_bytes(GREETING.read_bytes())

    def wrote(*options: str) -> bool:
        """True if the directory was written; what is printed has to say so."""
        before = times(output) if output.exists() else {}
        result = run("build", config, "-o", output, *options)
        assert (result.exit_code, result.stderr) == (0, "")
        fresh = result.stdout == f"unchanged: {output}\n"
        assert fresh == (times(output) == before)
        assert fresh or f"\nwrote {output}: 1 module, " in result.stdout
        return not fresh

    assert wrote()
    assert not wrote()
    config.write_text(text.replace("[[module]]", "# a comment\n[[module]]"))
    assert not wrote()
    wasm.write_bytes(GREETING.read_bytes() + b"\0\2\1x")
    assert wrote()
    config.write_text(text.replace("Infinity", "1 GiB"))
    assert wrote()
    assert wrote("--engine", "closures")
    assert not wrote("--engine", "closures")
    assert wrote("--engine", "closures", "--force")
    assert wrote()
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["marine_gen.artifact.key"], "GENERATOR", "marine-gen 99")
        assert wrote()
        assert not wrote()
    assert wrote()
    assert not wrote()


def test_a_damaged_build_is_repeated(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert run("build", GREETING, "-o", output).exit_code == 0
    whole = {path.name: path.read_bytes() for path in output.iterdir()}
    assert {"__init__.py", "pool.py", "client.py", "py.typed", "manifest.json", "greeting_fused.py"} <= whole.keys()
    for name, content in whole.items():
        for damage in (content[:-1] if content else b"x", content.replace(b"greeting", b"greetinG", 1) + b" ", None):
            if damage is not None:
                (output / name).write_bytes(damage)
            elif name == "manifest.json":
                continue  # a directory without one may be anybody's
            else:
                (output / name).unlink()
            assert run("build", GREETING, "-o", output).stdout.startswith("module "), (name, damage)
            assert {path.name: path.read_bytes() for path in output.iterdir()} == whole
    plan = whole["manifest.json"].replace(b'"name": "greeting"', b'"name": "greetinG"', 1)
    assert plan != whole["manifest.json"]
    (output / "manifest.json").write_bytes(plan)
    assert run("build", GREETING, "-o", output).stdout.startswith("module ")
    assert run("build", GREETING, "-o", output).stdout == f"unchanged: {output}\n"


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


def test_wrong_usage_of_build(run: Run, tmp_path: Path) -> None:
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


def test_a_long_name_leaves_the_table_of_the_cache_readable(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service without a name of its own has those of its modules."""
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "cache"))
    long = tmp_path / f"{'m' * 200}.wasm"
    long.write_bytes(GREETING.read_bytes())
    run("run", long, f"{long.stem}.greeting", '["x"]')
    row = run("cache").stdout.splitlines()[1]
    assert row.startswith("m" * 59 + "…  fused")
    assert len(row) < 120


def test_portable_builds(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "cache"))
    assert ".cwasm" not in run("build", GREETING, "-o", tmp_path / "out", "--portable").stdout
    assert run("build", GREETING, "-o", tmp_path / "out", "--portable").stdout == f"unchanged: {tmp_path / 'out'}\n"
    for engine in ("fused", "closures", "interpreter"):
        assert run("run", tmp_path / "out", "greeting.greeting", '["x"]', "--engine", engine).stdout == '"Hi, x"\n'
    lines = run("cache").stdout.splitlines()
    assert lines[0].endswith(": no cached services, 0 B")
    assert lines[1].startswith("machine code of portable builds: 2 files, ")
    run("cache", "--clear")
    assert len(run("cache").stdout.splitlines()) == 1


def test_unusable_cache(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "file" / "cache"))
    result = run("cache")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the cache directory of the environment variable MARINE_GEN_CACHE" in result.stderr
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

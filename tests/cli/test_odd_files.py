"""Files that are read once only, and files whose names are not UTF-8."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

import marine_gen
from marine_gen.artifact import open_workbench
from marine_runtime import ArgumentError
from tests.cli.conftest import Run
from tests.support.engines import guest
from tests.wrong_values.commands import sandbox

SENTENCE = r"the name of a module is 'g\udcfe', which can't be encoded as UTF-8: rename it, or the file that has it"


@contextmanager
def piped(content: bytes, path: Path) -> Iterator[Path]:
    """A pipe that gives `content` to the first reader."""
    os.mkfifo(path)
    writer = Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    yield path
    writer.join(10)
    assert not writer.is_alive()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.parametrize("command", ["check", "interface", "explain", "it", "info", "graph"])
def test_pipes(run: Run, command: str, tmp_path: Path) -> None:
    """As a shell has them: `marine-gen check <(…)`."""
    with piped(guest("greeting"), tmp_path / "greeting") as path:
        result = run(command, path)
    assert (result.exit_code, result.stderr) == (0, "")
    (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
    expected = run(command, tmp_path / "greeting.wasm").stdout
    assert result.stdout == expected.replace("greeting.wasm", "greeting")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A module whose name is not UTF-8."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/g\xfe.wasm"))
    try:
        path.write_bytes(guest("greeting"))
    except OSError:
        pytest.skip("the file system has no such names")
    return path


@pytest.mark.parametrize(
    "words",
    [
        *("run $ g.greeting 1", "build $ -o out", "component $ -o c.wasm", "bench $ g.greeting 1", "check $"),
        *("interface $", "explain $", "graph $", "aqua $", "repl $", "serve $"),
    ],
)
def test_names_that_are_not_utf8(run: Run, odd: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(odd.parent)
    result = run(*[str(odd) if word == "$" else word for word in words.split()])
    assert result.exit_code == 1
    assert SENTENCE in result.stderr.replace("\\\\", "\\")
    assert os.listdir(odd.parent) == [odd.name]


def test_reports_about_them_are_utf8(run: Run, odd: Path) -> None:
    document = json.loads(run("check", "--json", odd).stdout)
    assert document[0]["file"].encode().endswith(rb"/g\xfe.wasm")


def test_modules_of_such_names(tmp_path: Path) -> None:
    (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
    with pytest.raises(ArgumentError, match="can't be encoded as UTF-8"):
        marine_gen.load({"g\udcfe": guest("greeting")})
    bench = open_workbench()
    with pytest.raises(ArgumentError, match="can't be encoded as UTF-8"):
        bench.load("g\udcfe", guest("greeting"))
    bench.service.close()


@pytest.mark.parametrize(
    "words",
    [
        "run greeting.wasm greeting.greeting 1 --trace greeting.wasm",
        "run service.toml greeting.greeting 1 --trace service.toml",
        "run service.toml greeting.greeting 1 --trace link.wasm",
        "run greeting.wasm greeting.greeting 1 --host-file host.py --trace ./host.py",
        "run built greeting.greeting 1 --trace built/manifest.json",
        "run built greeting.greeting 1 --trace built/greeting.wasm",
        "repl service.toml --trace greeting.wasm",
        "repl built --trace built/greeting.wasm",
        "component service.toml -o greeting.wasm",
        "component service.toml -o new.wasm --wit service.toml",
        "set it -i greeting.wasm -w greeting.it -o greeting.it",
        "generate-adapters greeting.wasm --interface greeting.idl -o greeting.idl",
        "generate-adapters greeting.wasm --interface greeting.idl --text -o greeting.wasm",
        "guest build source.c --interface greeting.idl -o source.c",
        "guest build source.c --interface greeting.idl -o greeting.idl",
    ],
)
def test_inputs_are_not_written_over(run: Run, words: str, tmp_path: Path) -> None:
    with sandbox(tmp_path):
        Path("link.wasm").symlink_to("greeting.wasm")
        if "built" in words:
            marine_gen.build("greeting.wasm", "built", native=False)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        result = run(*words.split())
        assert result.exit_code == 1
        assert "would be overwritten: choose another file for the output" in result.stderr
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

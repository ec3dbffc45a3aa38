"""`marine-gen guest`: files that it writes and refuses to write, and the compiler, for which a script stands here."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.binary import extract
from marine_gen.generate import generate
from marine_gen.idl import parse_description
from marine_gen.wasm import read_sdk_version

Run = Callable[..., Result]

IDL = "export:\n  fn greet(name: string) -> string\n"

# Writes an empty module where a compiler would write its own, and says what it was asked for.
FAKE = """
import os, pathlib, sys
arguments = sys.argv[1:]
output = pathlib.Path(arguments[arguments.index("-o") + 1])
include = next(item[2:] for item in arguments if item.startswith("-I"))
print("includes", *sorted(os.listdir(include)))
print("options", *[item for item in arguments if item.startswith("-D")])
print("sources", *[os.path.basename(item) for item in arguments if item.endswith(".c")])
if "-DFAIL" in arguments:
    sys.exit("no way")
if "-DUNWRITTEN" in arguments:
    symbols = ("marine_function_greet", "marine_function_x_y", "marine_function_greet", "other")
    sys.exit("\\n".join(f"wasm-ld: error: glue.o: undefined symbol: {symbol}" for symbol in symbols))
if "-DNOTHING" not in arguments:
    output.write_bytes(b"\\0asm\\1\\0\\0\\0" if "-DBAD" not in arguments else b"ELF")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a module in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greeter.idl").write_text(IDL)
    (tmp_path / "greeter.c").write_text('#include "greeter_glue.h"\n')
    return tmp_path


@pytest.fixture
def fake(folder: Path) -> str:
    """A command that stands for the compiler."""
    path = folder / "fake cc.py"
    path.write_text(FAKE)
    return shlex.join([sys.executable, str(path)])


def test_new_writes_once(run: Run, tmp_path: Path) -> None:
    done = run("guest", "new", "hello", "-o", tmp_path)
    assert (done.exit_code, done.stdout) == (0, f"wrote {tmp_path}/hello.idl\nwrote {tmp_path}/hello.c\n")
    parse_description((tmp_path / "hello.idl").read_text(), "hello.idl")
    (tmp_path / "hello.idl").unlink()
    (tmp_path / "hello.c").write_text("mine")
    done = run("guest", "new", "hello", "-o", tmp_path)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: `{tmp_path}/hello.c` already exists and is not overwritten: choose")
    assert (tmp_path / "hello.c").read_text() == "mine"
    assert not (tmp_path / "hello.idl").exists()
    done = run("guest", "new", "../evil", "-o", tmp_path)
    assert (done.exit_code, "can't name a module" in done.stderr) == (1, True)


def test_folders_are_made(run: Run, folder: Path) -> None:
    assert run("guest", "new", "hello", "-o", "a/b").exit_code == 0
    assert run("guest", "header", "a/b/hello.idl", "-o", "a/glue").exit_code == 0
    assert (folder / "a" / "glue" / "hello_glue.h").exists()
    for arguments in (["new", "other"], ["header", "greeter.idl"]):
        done = run("guest", *arguments, "-o", "greeter.c")
        assert (done.exit_code, done.stderr) == (
            1,
            "error: the directory `greeter.c` can't be created, as `greeter.c` is a file\n",
        )


def test_header_writes_the_glue(run: Run, folder: Path) -> None:
    done = run("guest", "header", "greeter.idl", "-o", folder)
    assert done.exit_code == 0
    names = ["marine.h", "marine_implementation.h", "greeter_glue.h", "greeter_glue.c"]
    assert done.stdout == "".join(f"wrote {folder}/{name}\n" for name in names)
    assert "marine_string greet(marine_string name) " in (folder / "greeter_glue.h").read_text()


@pytest.mark.parametrize("command", ["build", "header"])
def test_mistakes_in_the_interface_have_their_place(run: Run, folder: Path, fake: str, command: str) -> None:
    (folder / "greeter.idl").write_text("export:\n  fn greet(name: strin) -> string\n")
    arguments = ["build", "greeter.c", "--cc", fake] if command == "build" else ["header", "greeter.idl"]
    done = run("guest", *arguments)
    assert done.exit_code == 1
    assert "--> greeter.idl:2:18" in done.stderr
    (folder / "greeter.idl").write_text("export:\n  fn memory()\n")
    done = run("guest", *arguments)
    assert done.exit_code == 1
    assert "--> greeter.idl\n" in done.stderr
    assert "the linker itself exports" in done.stderr


def test_build_passes_options_on_and_embeds_adapters(run: Run, folder: Path, fake: str) -> None:
    (folder / "more.c").touch()
    done = run("guest", "build", "greeter.c", "more.c", "--cc", fake, "-o", "out.wasm", "--", "-DONE", "-DTWO=--")
    assert (done.exit_code, done.stdout) == (0, f"built out.wasm: {(folder / 'out.wasm').stat().st_size:,} bytes\n")
    assert done.stderr == (
        "includes greeter_glue.c greeter_glue.h marine.h marine_implementation.h\n"
        "options -DONE -DTWO=--\nsources greeter.c more.c greeter_glue.c\n"
    )
    wasm = (folder / "out.wasm").read_bytes()
    assert extract(wasm) == generate(parse_description(IDL, ""))
    assert str(read_sdk_version(wasm)) == "0.14.0"


def test_a_module_on_stdout_stands_alone(run: Run, folder: Path, fake: str) -> None:
    done = run("guest", "build", "greeter.c", "--cc", fake, "-o", "-")
    assert extract(done.stdout_bytes) == generate(parse_description(IDL, ""))
    assert done.stderr.endswith(f"built -: {len(done.stdout_bytes):,} bytes\n")


def test_names_come_from_the_source_and_the_interface(run: Run, folder: Path, fake: str) -> None:
    (folder / "greeter.idl").rename(folder / "other-name.idl")
    done = run("guest", "build", "greeter.c", "--interface", "other-name.idl", "--cc", fake)
    assert done.exit_code == 0
    assert "other_name_glue.h" in done.stderr
    assert (folder / "greeter.wasm").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("-DFAIL", "no way\nerror: the C compiler failed with exit code 1\n"),
        ("-DNOTHING", "error: the C compiler wrote no module\n"),
        (
            "-DUNWRITTEN",
            "exit code 1; no source that includes the glue defines `greet`, `x_y`, which the interface exports\n",
        ),
        ("-DBAD", "error: the C compiler did not write a Wasm module\n"),
    ],
)
def test_what_goes_wrong_in_the_compiler(run: Run, folder: Path, fake: str, option: str, message: str) -> None:
    (folder / "greeter.wasm").write_text("old")
    done = run("guest", "build", "greeter.c", "--cc", fake, "--", option)
    assert done.exit_code == 1
    assert message in done.stderr
    assert (folder / "greeter.wasm").read_text() == "old"


def test_wrong_usage_of_guest(run: Run, folder: Path, fake: str) -> None:
    assert run("guest", "build").exit_code == 2
    done = run("guest", "build", "greeter.c", "-o", "./greeter.c", "--cc", fake)
    assert (done.exit_code, "would be overwritten" in done.stderr) == (1, True)
    done = run("guest", "build", "greeter.c", "-o", "greeter.idl", "--cc", fake)
    assert (done.exit_code, "would be overwritten" in done.stderr) == (1, True)
    done = run("guest", "build", "greeter.c", "greeter.idl", "--cc", fake)
    assert (done.exit_code, "name an interface with --interface" in done.stderr) == (2, True)
    done = run("guest", "build", ".", "--cc", fake)
    assert (done.exit_code, done.stderr) == (1, "error: `.` can't be read: Is a directory\n")
    done = run("guest", "build", "none.c", "--cc", fake)
    assert (done.exit_code, done.stderr) == (1, "error: `none.c` can't be read: No such file or directory\n")
    (folder / "lonely.c").touch()
    done = run("guest", "build", "lonely.c", "--cc", fake)
    assert (done.exit_code, done.stderr) == (1, "error: `lonely.idl` can't be read: No such file or directory\n")


def test_a_missing_compiler_is_named_with_its_extra(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ziglang" else find(name, *rest)
    )
    done = run("guest", "build", "greeter.c")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: the C compiler is missing: run `pip install 'marine-gen[guests]'`, or name a clang with `--cc`\n"
    )
    assert not (folder / "greeter.wasm").exists()

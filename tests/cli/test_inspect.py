"""`marine-gen it`, `info` and `set`: exact output, and modules that are replaced in one step."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.binary import extract
from marine_gen.wasm import MANIFEST_SECTION, append_custom_section, custom_section_names
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.golden import GOLDEN, Case, load_cases

Run = Callable[..., Result]
GREETING = GUESTS_FOLDER / "greeting.wasm"
EMPTY = b"\0asm\x01\0\0\0"


def manifest(*fields: str) -> bytes:
    return b"".join(len(field.encode()).to_bytes(8, "little") + field.encode() for field in fields)


FIELDS = ("Fluence Labs", "0.1.0", "Says hi,\ntwice", "https://example.org", "2022-04-12T18:16:34.487366668+00:00")

MODULES = {
    "greeting": GREETING.read_bytes,
    "manifest": lambda: append_custom_section(GREETING.read_bytes(), MANIFEST_SECTION, manifest(*FIELDS)),
    "bad_manifest": lambda: append_custom_section(GREETING.read_bytes(), MANIFEST_SECTION, b"\x01"),
    "empty": lambda: EMPTY,
    "nothing": lambda: b"",
    "text": lambda: b"(module)",
    "twice": lambda: append_custom_section(GREETING.read_bytes(), "interface-types", b""),
    "cut": lambda: GREETING.read_bytes()[:-40],
}


@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "inspect.golden"), ids=str)
def test_info_it_and_interface_print(run: Run, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input is a command line about one of `MODULES`."""
    monkeypatch.chdir(tmp_path)
    for name, make in MODULES.items():
        Path(f"{name}.wasm").write_bytes(make())
    result = run(*case.input.split())
    case.check(f"exit code {result.exit_code}\n{result.output}".rstrip("\n"))


@pytest.mark.parametrize("name", ["greeting", "records_pure", "arguments_passing_pure", "shrek"])
def test_it_is_exactly_the_adapter_text(run: Run, name: str) -> None:
    result = run("it", GUESTS_FOLDER / f"{name}.wasm")
    assert result.stdout_bytes == (GUESTS_FOLDER / f"{name}.it").read_bytes()
    assert (result.exit_code, result.stderr) == (0, "")
    assert run("it", GUESTS_FOLDER / f"{name}.idl").stdout_bytes == result.stdout_bytes


def test_info_as_json(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(MODULES["manifest"]())
    document = json.loads(run("info", path, "--json").stdout)
    assert document["manifest"] == {
        "authors": "Fluence Labs",
        "version": "0.1.0",
        "description": "Says hi,\ntwice",
        "repository": "https://example.org",
        "build_time": "2022-04-12T18:16:34.487366668+00:00",
    }
    assert document["it_version"] == extract(path.read_bytes()).version
    assert json.loads(run("info", GREETING, "--json").stdout)["manifest"] is None


def test_set_it_replaces(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(GREETING.read_bytes())
    path.chmod(0o640)
    text = GUESTS_FOLDER / "donkey.it"
    result = run("set", "it", "-i", path, "-w", text)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"embedded the adapters of `{text}`\n"
    assert custom_section_names(path.read_bytes()).count("interface-types") == 1
    assert run("it", path).stdout_bytes == text.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_set_writes_elsewhere(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "m.wasm", tmp_path / "out.wasm"
    path.write_bytes(EMPTY)
    assert run("set", "version", "-i", path, "-v", "1.2.3-rc.1", "-o", out).exit_code == 0
    assert path.read_bytes() == EMPTY
    assert run("set", "it", "--input", out, "--wit", GUESTS_FOLDER / "greeting.it").exit_code == 0
    assert run("info", out).stdout.splitlines()[1] == "sdk version: 1.2.3-rc.1"
    assert run("set", "version", "-i", out, "-v", "2.0.0").stderr == "embedded SDK version 2.0.0\n"
    assert run("info", out).stdout.splitlines()[1] == "sdk version: 2.0.0"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~umask


def test_set_keeps_links(run: Run, tmp_path: Path) -> None:
    path, link = tmp_path / "m.wasm", tmp_path / "link.wasm"
    path.write_bytes(GREETING.read_bytes())
    link.symlink_to(path)
    assert run("set", "version", "-i", link, "-v", "9.0.0").exit_code == 0
    assert link.is_symlink()
    assert "sdk version: 9.0.0" in run("info", path).stdout


def test_set_writes_to_pipes(run: Run) -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as end:
        with open(writing, "wb"):
            path = f"/dev/fd/{writing}"
            assert run("set", "version", "-i", GREETING, "-v", "9.0.0", "-o", path).exit_code == 0
        assert b"9.0.0" in end.read()


def test_failed_set_changes_nothing(run: Run, tmp_path: Path) -> None:
    path, text = tmp_path / "m.wasm", tmp_path / "m.it"
    path.write_bytes(b"no module")
    text.write_text('(@interface it_version "0.28.0")')
    assert run("set", "it", "-i", path, "-w", text).exit_code == 1
    assert run("set", "version", "-i", path, "-v", "1.0.0").stderr.startswith("error[MG101]")
    text.write_text("(@interface what)")
    broken = run("set", "it", "-i", path, "-w", text)
    assert broken.exit_code == 1
    assert f"{text}:1:" in broken.stderr
    assert path.read_bytes() == b"no module"


def test_set_where_nothing_can_be_written(run: Run, tmp_path: Path) -> None:
    result = run("set", "version", "-i", GREETING, "-v", "1.0.0", "-o", tmp_path / "none" / "m.wasm")
    assert result.exit_code == 1
    assert "m.wasm` can't be written: No such file or directory" in result.stderr


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "", "99999999999999999999.0.0"])
def test_set_wants_a_semantic_version(run: Run, version: str) -> None:
    result = run("set", "version", "-i", GREETING, "-v", version)
    assert result.exit_code == 2
    assert "semantic version" in result.stderr

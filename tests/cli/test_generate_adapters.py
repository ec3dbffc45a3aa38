"""`marine-gen generate-adapters`: from a module's own description and from files, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import marine_gen
from marine_gen.binary import extract
from marine_gen.generate.sections import PREFIXES
from marine_gen.wasm import (
    SDK_VERSION_SECTION,
    append_custom_section,
    custom_section_names,
    embed_sdk_version,
    remove_custom_sections,
)
from tests.guests.descriptions import GUESTS, GUESTS_FOLDER, Guest
from tests.support.golden import GOLDEN, Case, load_cases

Run = Callable[..., Result]

GREETING = (GUESTS_FOLDER / "greeting.wasm").read_bytes()
BARE = remove_custom_sections(GREETING, {"interface-types", SDK_VERSION_SECTION})
ITEM = {
    "ast_type": "Function",
    "signature": {
        "name": "greeting",
        "arguments": [{"name": "name", "ty": {"Utf8Str": "ByRef"}}],
        "output_types": [{"Utf8String": "ByValue"}],
    },
}
DESCRIBED = append_custom_section(BARE, f"{PREFIXES[0]}greeting", json.dumps(ITEM).encode())
FILES = {
    "bare.wasm": BARE,
    "greeting.wasm": GREETING,
    "described.wasm": DESCRIBED,
    "broken.wasm": append_custom_section(DESCRIBED, f"{PREFIXES[0]}other", b"{}"),
    "contradicting.wasm": append_custom_section(DESCRIBED, f"{PREFIXES[0]}again", json.dumps(ITEM).encode()),
    "old.wasm": embed_sdk_version(DESCRIBED, "0.5.0"),
    "no_module.wasm": b"no module",
    "greeting.idl": b"export:\n  fn greeting(name: string) -> string\n",
    "wrong.idl": b"export:\n  fn greeting(name: u8)\n  fn bye()\n",
    "shrek.wasm": (GUESTS_FOLDER / "shrek.wasm").read_bytes(),
    "shrek.idl": b"export:\n  fn greeting(name: string) -> [string]\nimport donkey:\n  fn greeting(name: u64)\n",
    "broken.idl": b"export:\n  fn greeting(name: str)\n  greeting()\n",
    "latin.idl": b"// gr\xfc\xdfe\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with `FILES`."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "generate_adapters.golden"), ids=str)
def test_generate_adapters_prints(run: Run, case: Case, folder: Path) -> None:
    """The input is the command line behind the command; inputs that a case does not write to stay as they were."""
    result = run("generate-adapters", *case.input.split())
    case.check(f"exit code {result.exit_code}\n{result.output}".rstrip("\n"))
    if result.exit_code:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", [["described.wasm"], ["bare.wasm", "--interface", "greeting.idl"]])
def test_the_module_runs(run: Run, arguments: list[str]) -> None:
    assert run("generate-adapters", *arguments).exit_code == 0
    content = Path(arguments[0]).read_bytes()
    assert extract(content) == extract(GREETING)
    with marine_gen.load({"greeting": content}) as service:
        assert service.modules.greeting.greeting("John") == "Hi, John"


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.name)
def test_every_guest_is_made_again(run: Run, tmp_path: Path, guest: Guest) -> None:
    out = tmp_path / "out.wasm"
    result = run("generate-adapters", guest.module, "--interface", guest.interface, "-o", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == guest.module.read_bytes()


def test_what_was_there_is_replaced(run: Run, folder: Path) -> None:
    for version in ("0.7.0", "0.8.0"):
        arguments = ["greeting.wasm", "--interface", "greeting.idl", "--sdk-version", version, "-o", "out.wasm"]
        assert run("generate-adapters", *arguments).exit_code == 0
    assert (folder / "greeting.wasm").read_bytes() == GREETING
    names = custom_section_names((folder / "out.wasm").read_bytes())
    assert names.count("interface-types") == names.count(SDK_VERSION_SECTION) == 1
    assert "sdk version: 0.8.0\n" in run("info", "out.wasm").stdout


@pytest.mark.usefixtures("folder")
def test_the_version_of_the_module_is_kept(run: Run) -> None:
    Path("old.wasm").write_bytes(embed_sdk_version(DESCRIBED, "0.9.1-rc.2"))
    assert run("generate-adapters", "old.wasm").stderr.endswith("SDK version 0.9.1-rc.2\n")
    assert "sdk version: 0.9.1-rc.2\n" in run("info", "old.wasm").stdout


def test_a_module_on_stdout(run: Run, folder: Path) -> None:
    result = run("generate-adapters", "described.wasm", "-o", "-")
    assert extract(result.stdout_bytes) == extract(GREETING)
    assert (folder / "described.wasm").read_bytes() == DESCRIBED
    assert not (folder / "-").exists()


def test_text_goes_to_a_file(run: Run, folder: Path) -> None:
    assert run("generate-adapters", "described.wasm", "--text", "-o", "out.it").output == ""
    assert (folder / "out.it").read_bytes() == (GUESTS_FOLDER / "greeting.it").read_bytes()
    assert run("generate-adapters", "bare.wasm", "--interface", "greeting.idl", "--text").stdout_bytes == (
        (GUESTS_FOLDER / "greeting.it").read_bytes()
    )


def test_set_writes_to_stdout_too(run: Run, folder: Path) -> None:
    result = run("set", "version", "-i", "greeting.wasm", "-v", "1.0.0", "-o", "-")
    assert result.stdout_bytes == embed_sdk_version(GREETING, "1.0.0")
    assert (folder / "greeting.wasm").read_bytes() == GREETING

"""Modules of the guest kit, compiled: the committed ones, difficult names, a new module, mistakes in a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import marine_gen
from marine_gen.binary import extract
from marine_gen.cli import cli
from marine_gen.generate import (
    SDK_VERSION,
    Description,
    ExternModule,
    ImportedFunction,
    RecordDeclaration,
    Signature,
    generate,
)
from marine_gen.guest import CompilerError, build_guest, new_guest, write_glue
from marine_gen.idl import parse_description
from marine_gen.wasm import read_sdk_version
from tests.guests.descriptions import EXAMPLE_FOLDER, Guest
from tests.guests.kit_guests import GENERATOR, KIT_FOLDER, KIT_GUESTS
from tests.support.available import needs_compiler
from tests.support.engines import shown
from tests.support.kit import empty_source, hostile_description, source_of
from tests.support.values import signatures, values


@pytest.mark.parametrize("guest", KIT_GUESTS, ids=lambda guest: guest.name)
def test_committed_modules_carry_their_adapters(guest: Guest) -> None:
    wasm = guest.module.read_bytes()
    assert extract(wasm) == generate(guest.description)
    assert str(read_sdk_version(wasm)) == SDK_VERSION
    assert len(wasm) < 60_000


def test_every_file_belongs_to_a_guest() -> None:
    present = {path.name for path in KIT_FOLDER.iterdir()}
    assert present == {f"{guest.name}.{suffix}" for guest in KIT_GUESTS for suffix in ("c", "idl", "wasm")}
    assert len(KIT_GUESTS) >= 6


@pytest.mark.guests
@needs_compiler
def test_difficult_names_compile_without_a_warning(tmp_path: Path) -> None:
    description = hostile_description()
    source = tmp_path / "names.c"
    source.write_text(empty_source(write_glue(description, "names", generator=GENERATOR)))
    options = ["-Werror", "-Wno-unused-parameter", "-O0"]
    wasm, messages = build_guest([source], description, "names", generator=GENERATOR, options=options)
    assert messages == ""
    assert extract(wasm) == generate(description)


@pytest.mark.guests
@needs_compiler
@settings(max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
@given(signatures(), st.data())
def test_random_signatures_cross_two_modules(
    drawn: tuple[tuple[RecordDeclaration, ...], Signature], data: st.DataObject
) -> None:
    records, signature = drawn
    exported = Description(records, (signature,))
    imports = (ExternModule("inner", (ImportedFunction(signature),)),)
    modules = {}
    with TemporaryDirectory() as folder:
        for name, description, callee in (
            ("inner", exported, ""),
            ("outer", replace(exported, imports=imports), "inner_"),
        ):
            source = Path(folder, f"{name}.c")
            source.write_text(source_of(write_glue(description, name, generator=GENERATOR), callee))
            modules[name] = build_guest([source], description, name, generator=GENERATOR, options=["-Werror"])[0]
    known = {record.name: record for record in records}
    with marine_gen.load(modules) as service:
        for _ in range(5):
            args = [data.draw(values(param.type, known)) for param in signature.params]
            for module in modules:
                assert shown(service.call(module, signature.name, args)) == shown(args[0])


@pytest.mark.guests
@needs_compiler
def test_the_command_gives_the_module_of_the_example(tmp_path: Path) -> None:
    output = tmp_path / "facade.wasm"
    done = CliRunner().invoke(cli, ["guest", "build", str(EXAMPLE_FOLDER / "facade.c"), "-o", str(output)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert output.read_bytes() == (EXAMPLE_FOLDER / "facade.wasm").read_bytes()


@pytest.mark.guests
@needs_compiler
def test_a_new_module_builds_and_runs_and_is_the_same_everywhere(tmp_path: Path) -> None:
    modules = []
    for folder in (tmp_path / "one", tmp_path / "a longer name"):
        folder.mkdir()
        for name, text in new_guest("greeter").items():
            (folder / name).write_text(text)
        description = parse_description((folder / "greeter.idl").read_text(), "greeter.idl")
        wasm, messages = build_guest(
            [folder / "greeter.c"], description, "greeter", generator=str(folder), options=["-Werror"]
        )
        assert messages == ""
        assert str(tmp_path).encode() not in wasm
        modules.append(wasm)
    assert modules[0] == modules[1]
    with marine_gen.load({"greeter": modules[0]}) as service:
        answer = service.modules.greeter.greet("World")
        assert (answer.text, answer.length) == ("Hello, World", 12)


@pytest.mark.guests
@needs_compiler
@pytest.mark.parametrize(
    ("source", "said", "unwritten"),
    [
        ("int f(void) { return 1; }", "undefined symbol: marine_function_f", True),
        ('#include "m_glue.h"\nint f(void) { return 1; }', "conflicting types for 'f'", False),
        ('#include "m_glue.h"', "undefined symbol: marine_function_f", True),
    ],
    ids=["without the header", "another type", "missing"],
)
def test_mistakes_are_said_by_the_compiler(tmp_path: Path, source: str, said: str, unwritten: bool) -> None:
    path = tmp_path / "m.c"
    path.write_text(source)
    description = Description(functions=(Signature("f"),))
    with pytest.raises(CompilerError) as caught:
        build_guest([path], description, "m", generator=GENERATOR)
    assert said in caught.value.output
    assert ("includes the glue defines `f`," in str(caught.value)) is unwritten

"""The committed guest files are what their descriptions and C sources give."""

import subprocess
import sys

import pytest
import wasmtime

from marine_gen.binary.embed import extract
from marine_gen.generate import generate
from marine_gen.text.printer import print_interfaces
from marine_gen.wasm.metadata import read_sdk_version
from tests.guests.descriptions import (
    BENCH_FOLDER,
    EXAMPLE_FOLDER,
    GUESTS,
    GUESTS_FOLDER,
    HOSTILE,
    HOSTILE_FOLDER,
    PLUGINS,
    ROOT,
)
from tests.support.available import needs_compiler

SIZE_LIMIT = 60_000


@pytest.mark.parametrize("guest", [*GUESTS, *HOSTILE], ids=lambda guest: guest.name)
def test_adapter_text_is_what_the_description_gives(guest):
    assert guest.adapters.read_text(encoding="utf-8") == print_interfaces(generate(guest.description)) + "\n"


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.name)
def test_module_carries_its_adapters_and_sdk_version(guest):
    wasm = guest.module.read_bytes()
    assert len(wasm) < SIZE_LIMIT
    assert extract(wasm) == generate(guest.description)
    assert str(read_sdk_version(wasm)) == "0.14.0"


@pytest.mark.parametrize("guest", HOSTILE, ids=lambda guest: guest.name)
def test_hostile_module_is_valid_and_exports_its_functions(guest):
    module = wasmtime.Module(wasmtime.Engine(), wasmtime.wat2wasm(guest.source.read_text(encoding="utf-8")))
    assert {function.name for function in guest.description.functions} <= {export.name for export in module.exports}


def test_every_file_belongs_to_a_description():
    named = {path for guest in GUESTS for path in (guest.source, guest.interface, guest.adapters, guest.module)}
    named |= {path for guest in HOSTILE for path in (guest.source, guest.interface, guest.adapters)}
    named |= {path for source in PLUGINS for path in (source, source.with_suffix(".wasm"))}
    present = {
        path
        for folder in (GUESTS_FOLDER, EXAMPLE_FOLDER, HOSTILE_FOLDER, BENCH_FOLDER)
        for suffix in ("c", "idl", "it", "wasm", "wat")
        for path in folder.glob(f"*.{suffix}")
    }
    assert present == named


@pytest.mark.guests
@needs_compiler
def test_rebuilding_changes_nothing():
    command = [sys.executable, "tests/guests/rebuild.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (result.returncode, result.stderr) == (0, "")

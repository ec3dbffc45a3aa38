"""The printed IR of adapters, and the full text of every diagnostic that building it can give."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from marine_gen.artifact import compile_module, compile_service, read_target
from marine_gen.binary import embed
from marine_gen.diagnostics import CODES, DiagnosticError
from marine_gen.interfaces import Interfaces
from marine_gen.ir import ModuleIR, build_module, print_module
from marine_gen.text import parse
from marine_gen.wasm import embed_sdk_version, find_sdk_version, remove_custom_sections
from marine_runtime.types import Field, Prim, Record, RecordType
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.adapters import build, build_with_wasm
from tests.support.engines import guest
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.troubles import modules

FOLDER = GOLDEN / "ir"
LOADING = GOLDEN / "runtime" / "loading.golden"


def show(make: Callable[[], ModuleIR]) -> str:
    try:
        return print_module(make()).rstrip("\n") or "(no adapters)"
    except DiagnosticError as error:
        return str(error)


@pytest.mark.parametrize("case", load_cases(FOLDER / "printed.golden"), ids=str)
def test_printed(case: Case) -> None:
    if case.input.startswith("guest "):
        name = case.input.removeprefix("guest ")
        text = (GUESTS_FOLDER / f"{name}.it").read_text("utf-8")
        # Adapters alone give the same IR as the module with its real signatures.
        assert print_module(compile_module(name, guest(name)).ir) == print_module(build_module(name, parse(text)))
        case.check(show(lambda: build_module(name, parse(text))))
    else:
        case.check(show(lambda: build(case.input)))


@pytest.mark.parametrize("case", load_cases(FOLDER / "errors.golden"), ids=str)
def test_diagnostics(case: Case) -> None:
    case.check(show(lambda: build(case.input)))
    assert case.title[:3].isdecimal() <= (f"error[MG{case.title[:3]}]" in case.expected)


@pytest.mark.parametrize("case", load_cases(FOLDER / "wasm.golden"), ids=str)
def test_agreement_with_the_wasm_module(case: Case) -> None:
    case.check(show(lambda: build_with_wasm(case.input)))
    assert case.title[:3].isdecimal() <= (f"error[MG{case.title[:3]}]" in case.expected)


def test_deep_direct_nesting_of_records() -> None:
    def nest(levels: int) -> Interfaces:
        """Type 0 is flat, every later one holds the one before."""
        inner = [RecordType(f"R{n}", (Field("r", Record(n - 1)),)) for n in range(1, levels)]
        return Interfaces("0.28.0", (RecordType("R0", (Field("x", Prim.U8),)), *inner))

    build_module("m", nest(128))
    for levels in (129, 20_000):
        with pytest.raises(DiagnosticError) as caught:
            build_module("m", nest(levels))
        assert [(item.code.value, item.message) for item in caught.value.diagnostics] == [
            ("MG406", "record type 128 is nested more than 128 levels deep")
        ]


def old(sdk: str, it: str) -> DiagnosticError:
    wasm = guest("greeting")
    text = (GUESTS_FOLDER / "greeting.it").read_text("utf-8").replace("0.28.0", it)
    bare = remove_custom_sections(wasm, "__fluence_sdk_version")
    with pytest.raises(DiagnosticError) as caught:
        compile_module("greeting", embed_sdk_version(embed(bare, parse(text)), sdk))
    return caught.value


def test_old_versions() -> None:
    assert find_sdk_version(guest("greeting")) is not None
    assert str(old("0.5.9", "0.28.0")) == (
        "error[MG605]: module `greeting` was made with SDK version 0.5.9, at least 0.6.0 is required\n"
        "  --> greeting\n"
        "  help: rebuild the module with a newer SDK"
    )
    found = [item.message for item in old("0.6.0-rc.1", "0.19.99").diagnostics]
    assert found == [
        "module `greeting` was made with SDK version 0.6.0-rc.1, at least 0.6.0 is required",
        "module `greeting` was made with IT version 0.19.99, at least 0.20.0 is required",
    ]
    text = (GUESTS_FOLDER / "greeting.it").read_text("utf-8").replace("0.28.0", "0.20.0")
    wasm = remove_custom_sections(guest("greeting"), "__fluence_sdk_version")
    assert compile_module("greeting", embed_sdk_version(embed(wasm, parse(text)), "0.6.0")).plan.it_version == "0.20.0"


def test_every_code_of_these_stages_has_a_golden() -> None:
    text = "".join(
        path.read_text("utf-8") for path in [*FOLDER.glob("*.golden"), GOLDEN / "runtime" / "loading.golden"]
    )
    shown = set(re.findall(r"error\[(MG\d+)\]", text)) | {"MG605"}  # versions are tested above
    assert shown >= {code for code in CODES if code[2] in "456"}


def test_findings_of_all_modules_of_a_service_come_together() -> None:
    sources = {**modules("no_memory"), **modules("wrong_signature")}
    with pytest.raises(DiagnosticError) as caught:
        compile_service(read_target(sources))
    found = [(item.source, item.code.value) for item in caught.value.diagnostics]
    assert found == [
        ("no_memory", "MG505"),
        ("wrong_signature", "MG502"),
    ]

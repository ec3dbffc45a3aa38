"""The container: scan, read, remove and append sections; every malformed header is a diagnostic."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.wasm import (
    append_custom_section,
    custom_section_names,
    custom_sections,
    custom_sections_with_prefix,
    remove_custom_sections,
    scan,
    unique_custom_section,
)
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.notation import read_bytes

EMPTY = b"\0asm\x01\0\0\0"
MODULE = bytes(wat2wasm('(module (func (export "f")) (memory 1) (data (i32.const 0) "x"))'))


def test_an_empty_module_has_no_sections() -> None:
    assert scan(EMPTY) == ()


def test_sections_cover_the_file() -> None:
    wasm = append_custom_section(MODULE, "näme", b"payload")
    sections = scan(wasm)
    position = 8
    for section in sections:
        assert section.start == position
        position = section.end
    assert position == len(wasm)
    assert [section.id for section in sections if section.id] == [1, 3, 5, 7, 10, 11]
    assert (sections[-1].name, sections[-1].payload(wasm)) == ("näme", b"payload")


def test_code_is_never_parsed() -> None:
    assert scan(EMPTY + b"\x0a\x03\xff\xff\xff")[0].payload(EMPTY + b"\x0a\x03\xff\xff\xff") == b"\xff\xff\xff"


def test_custom_sections_are_found_by_name_and_prefix() -> None:
    wasm = MODULE
    for name, payload in (("a", b"1"), ("ab", b""), ("a", b"2"), ("b", b"3")):
        wasm = append_custom_section(wasm, name, payload)
    assert custom_sections(wasm, "a") == [b"1", b"2"]
    assert custom_sections(wasm, "c") == []
    assert custom_section_names(wasm)[-4:] == ["a", "ab", "a", "b"]
    assert custom_sections_with_prefix(wasm, "a") == [("a", b"1"), ("ab", b""), ("a", b"2")]
    assert unique_custom_section(wasm, "b") == b"3"


def test_removal_leaves_the_rest_untouched() -> None:
    wasm = append_custom_section(append_custom_section(MODULE, "a", b"1"), "b", b"2")
    assert remove_custom_sections(wasm, {"a", "b"}) == remove_custom_sections(MODULE, set()) == MODULE
    assert custom_section_names(remove_custom_sections(wasm, lambda name: name == "a"))[-1:] == ["b"]


def test_long_contents_get_long_sizes() -> None:
    wasm = append_custom_section(EMPTY, "big", bytes(70_000))
    assert custom_sections(wasm, "big") == [bytes(70_000)]


def test_missing_and_repeated_sections() -> None:
    with pytest.raises(DiagnosticError) as missing:
        unique_custom_section(MODULE, "x", "make one")
    assert str(missing.value) == "error[MG104]: the module has no custom section `x`\n  help: make one"
    twice = append_custom_section(append_custom_section(EMPTY, "x", b""), "x", b"")
    with pytest.raises(DiagnosticError) as repeated:
        unique_custom_section(twice, "x")
    assert str(repeated.value) == (
        "error[MG105]: the module has 2 custom sections `x`, but exactly one is allowed\n"
        "  --> byte 12\n"
        "   ^  the second one\n"
        "  help: the file is damaged, or a tool appended the section without removing the old one"
    )


def test_non_minimal_sizes_are_legal() -> None:
    assert scan(EMPTY + b"\x00\x82\x80\x80\x80\x00\x01a")[0].name == "a"


@pytest.mark.parametrize("case", load_cases(GOLDEN / "wasm" / "sections.golden"), ids=str)
def test_container_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        scan(read_bytes(case.input))
    assert {item.code for item in caught.value.diagnostics} <= {Code.WASM_HEADER, Code.WASM_SECTION}
    case.check(str(caught.value.with_source("module.wasm")))

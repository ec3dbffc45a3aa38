"""The interface section of a module: exactly one is read, and embedding leaves exactly one."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from marine_gen.binary import SECTION, embed, encode, extract
from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.interfaces import Export, Interfaces
from marine_gen.wasm import append_custom_section, custom_section_names

MODULE = bytes(wat2wasm('(module (func (export "f")))'))
OLD = Interfaces("0.27.0")
NEW = Interfaces("0.28.0", exports=(Export("f", 0),))


def failure(wasm: bytes) -> Code:
    with pytest.raises(DiagnosticError) as caught:
        extract(wasm)
    return caught.value.diagnostics[0].code


def test_what_is_embedded_is_extracted() -> None:
    assert extract(embed(MODULE, NEW)) == NEW
    assert embed(MODULE, NEW).startswith(MODULE)


def test_embedding_replaces_all_old_sections() -> None:
    wasm = append_custom_section(MODULE, SECTION, encode(OLD))
    wasm = append_custom_section(append_custom_section(wasm, SECTION, b"junk"), "other", b"")
    embedded = embed(wasm, NEW)
    assert custom_section_names(embedded)[-2:] == ["other", SECTION]
    assert extract(embedded) == NEW
    assert embed(embedded, NEW) == embedded


def test_missing_and_repeated_sections() -> None:
    once = embed(MODULE, OLD)
    assert failure(MODULE) is Code.SECTION_MISSING
    assert failure(append_custom_section(once, SECTION, encode(OLD))) is Code.SECTION_DUPLICATE
    assert failure(b"junk") is Code.WASM_HEADER
    assert failure(append_custom_section(MODULE, SECTION, b"\x09")) is Code.IT_BAD_BYTE


def test_what_cannot_be_encoded_is_not_embedded() -> None:
    with pytest.raises(DiagnosticError) as caught:
        embed(MODULE, Interfaces("0.28.0", exports=(Export("x" * 256, 0),)))
    assert caught.value.diagnostics[0].code is Code.IT_LIMIT

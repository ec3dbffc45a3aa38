"""Core signatures of real modules, newer type forms, and every malformed section as a diagnostic."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.wasm import CoreImport, OtherImport, Signatures, read_signatures
from marine_runtime.types import CoreSignature
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.notation import read_bytes


def read(wat: str) -> Signatures:
    return read_signatures(bytes(wat2wasm(wat)))


def test_an_empty_module() -> None:
    assert read("(module)") == Signatures()


def test_imports_exports_memories_and_start() -> None:
    signatures = read("""
        (module
          (import "env" "log" (func $log (param i32 i64) (result f32)))
          (import "env" "memory" (memory 1 2))
          (import "env" "table" (table 1 funcref))
          (import "env" "global" (global (mut i32)))
          (import "host" "now" (func (result f64)))
          (func (export "add") (param i32 i32) (result i32) unreachable)
          (func $start)
          (memory (export "second") 1)
          (export "first" (memory 0))
          (export "again" (func $log))
          (export "g" (global 0))
          (export "t" (table 0))
          (start $start))
    """)
    assert signatures.imports == (
        CoreImport("env", "log", CoreSignature(("i32", "i64"), ("f32",))),
        CoreImport("host", "now", CoreSignature((), ("f64",))),
    )
    assert signatures.other_imports == (
        OtherImport("env", "memory", "memory"),
        OtherImport("env", "table", "table"),
        OtherImport("env", "global", "global"),
    )
    assert list(signatures.exports.items()) == [
        ("add", CoreSignature(("i32", "i32"), ("i32",))),
        ("again", CoreSignature(("i32", "i64"), ("f32",))),
    ]
    assert signatures.memories == ("second", "first")
    assert signatures.has_start


def test_all_value_types() -> None:
    signatures = read("""
        (module
          (type $f (func))
          (func (export "f")
            (param i32 i64 f32 f64 v128 funcref externref anyref exnref (ref $f) (ref null $f) (ref func))
            unreachable))
    """)
    assert signatures.exports["f"].params == (
        *("i32", "i64", "f32", "f64", "v128", "funcref", "externref"),
        *("ref", "ref", "ref", "ref", "ref"),
    )


def test_long_spellings_of_funcref_and_externref() -> None:
    # (type (func (param (ref null func) (ref null extern) (ref null 0)))) with a function that is exported as "f".
    wasm = read_bytes("""
        00 "asm" 01 00 00 00
        01 0a 01 60 03 63 70 63 6f 63 00 00
        03 02 01 00
        07 05 01 01 "f" 00 00
    """)
    assert read_signatures(wasm).exports == {"f": CoreSignature(("funcref", "externref", "ref"))}


def test_other_type_forms_keep_the_index_space_right() -> None:
    signatures = read("""
        (module
          (type (struct (field i8) (field (mut i64))))
          (rec
            (type $a (sub (array (mut i16))))
            (type $b (sub final $c (func (param i64))))
            (type $c (sub (func (param i64)))))
          (tag (import "env" "tag") (param i64))
          (memory (export "memory64") i64 1 2)
          (func (export "f") (type $c) unreachable))
    """)
    assert signatures.exports == {"f": CoreSignature(("i64",))}
    assert signatures.other_imports == (OtherImport("env", "tag", "tag"),)
    assert signatures.memories == ("memory64",)


def test_memories_that_adapters_can_not_use() -> None:
    signatures = read("""
        (module
          (import "env" "shared" (memory 1 2 shared))
          (memory (export "plain") 1)
          (memory (export "wide") i64 1)
          (export "shared" (memory 0)))
    """)
    assert signatures.memories == ("plain", "wide", "shared")
    assert [*signatures.unusable_memories] == ["wide"]
    assert "64-bit" in signatures.unusable_memories["wide"]
    assert signatures.shared_memory is None
    place = read("(module (memory 1) (memory 2 3 shared))").shared_memory
    assert place == 13


def test_memory_with_page_size() -> None:
    wasm = read_bytes('00 "asm" 01 00 00 00 05 04 01 08 01 00 07 05 01 01 "m" 02 00')
    assert read_signatures(wasm).memories == ("m",)


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        (CoreSignature(("i32", "i32"), ("i32",)), "(i32, i32) -> i32"),
        (CoreSignature(), "() -> ()"),
        (CoreSignature(("f32",), ("i32", "i64")), "(f32) -> (i32, i64)"),
    ],
)
def test_signatures_print(signature: CoreSignature, text: str) -> None:
    assert str(signature) == text


@pytest.mark.parametrize("case", load_cases(GOLDEN / "wasm" / "signatures.golden"), ids=str)
def test_signature_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_signatures(b"\0asm\x01\0\0\0" + read_bytes(case.input))
    assert [item.code for item in caught.value.diagnostics] == [Code.WASM_MALFORMED]
    case.check(str(caught.value.with_source("module.wasm")))

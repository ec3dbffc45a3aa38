"""Modules that no service can have: one sentence with the place and the way out, wherever they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact import ENGINES
from marine_gen.diagnostics import DiagnosticError
from marine_gen.inspect.check import examine
from marine_gen.interfaces import Interfaces
from marine_runtime import LinkError, TrapError
from marine_runtime.wasm import RefusedModuleError, open_runtime
from tests.support.engines import assemble

WASI = '(import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))'
GROWS = "(table $t 1 funcref) (func (drop (table.grow $t (ref.null func) (i32.const 1))))"
OLD = "(tag) (func try catch_all end)"
SHARED = "the module has a memory that threads share, which services don't have"

FEATURES = [
    ("(memory 1) (memory 1 2 shared)", SHARED, "build it without threads (clang: without `-pthread`)"),
    ('(memory (export "memory") 1 2 shared)', SHARED, "build it without threads"),
    (OLD, "the module uses legacy exceptions", "(clang: `-mllvm -wasm-use-legacy-eh=false`"),
    (GROWS + OLD, "the module uses legacy exceptions", "`wasm-opt --translate-to-exnref`"),
    ("(memory 1 (pagesize 1))", "the module uses pages of other sizes than 64 KiB", "build it with the usual pages"),
    ("(type $f (func)) (type (cont $f))", "the module uses stack switching", "build the module without this feature"),
    (
        "(global (shared mut i32) (i32.const 0))",
        "the module uses shared-everything-threads",
        "build the module without this feature",
    ),
    (
        "(memory 1) (func (memory.discard (i32.const 0) (i32.const 0)))",
        "the module uses memory control",
        "build the module",
    ),
    (
        '(import "a" (item "b" (func)) (item "c" (func)))',
        "the module uses compact imports",
        "build the module without this feature",
    ),
]

ACCEPTED = [
    "(memory 1) (func (drop (i32.atomic.load (i32.const 0))) (atomic.fence))",
    "(memory i64 1) (table i64 1 funcref)",
    "(memory 1) (memory 1)",
    "(type (struct (field i32))) (func (drop (ref.i31 (i32.const 1))))",
    "(type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0)))",
    "(tag (param i32)) (func (block (try_table (catch_all 0) (throw 0 (i32.const 1)))))",
    "(func (return_call 0))",
    "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
    "(func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1)))",
    '(func (export "vector") (param v128) (result anyref) (ref.null any))',
    "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
]


def module(fields: str) -> bytes:
    return assemble(f"(module {fields})", Interfaces("0.28.0"))


@pytest.mark.parametrize(("fields", "fact", "advice"), FEATURES)
def test_features_that_services_do_not_have(fields: str, fact: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes(module(fields))
    with pytest.raises(DiagnosticError) as loaded:
        marine_gen.load({"m": module(fields)})
    with pytest.raises(DiagnosticError) as built:
        marine_gen.build({"m": module(fields)}, tmp_path / "built", native=False)
    (checked,) = examine([tmp_path / "m.wasm"])[0].findings
    for error in (loaded.value, built.value):
        (finding,) = error.diagnostics
        assert finding.code.value == "MG107"
        assert finding.message.startswith(fact)
        assert finding.span is not None
        assert finding.source == "m"
        assert finding.help.startswith(advice) or advice in finding.help
        assert str(checked).replace(str(tmp_path / "m.wasm"), "m") == str(finding)
    assert not (tmp_path / "built").exists()


@pytest.mark.parametrize("fields", ACCEPTED)
def test_features_that_services_have(fields: str, tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes(module(fields))
    assert examine([tmp_path / "m.wasm"])[0].ok
    marine_gen.load({"m": module(fields)}).close()


def test_a_module_that_is_not_valid_has_its_place() -> None:
    with pytest.raises(
        DiagnosticError, match=r"error\[MG103\]: not a valid Wasm module: type mismatch.*\n  --> m: byte"
    ):
        marine_gen.load({"m": module("(func (result i32))")})


def test_the_runtime_alone() -> None:
    """Without the compiler, which has looked at the memories already."""
    with pytest.raises(
        RefusedModuleError, match=r"legacy exceptions, which services don't have \(byte \d+ of the file\):"
    ):
        open_runtime().compile(module(OLD))
    store = open_runtime().store()
    with pytest.raises(LinkError, match=r"^it uses a memory that threads share, which services don't have: build it"):
        store.instantiate(open_runtime().compile(module("(memory 1 2 shared)")), {})
    store.close()


UNLINKABLE = [
    ('(import "a" "b" (global i32))', "module `m` imports `a.b`, which is a global"),
    ('(import "a" "b" (memory 1 2 shared))', "module `m` imports `a.b`, which is a memory"),
    ('(import "a" "b" (table 1 funcref))', "module `m` imports `a.b`, which is a table"),
    ('(import "a" "b" (tag))', "module `m` imports `a.b`, which is a tag"),
    (
        WASI.replace("fd_close", "fd_clos"),
        "which WASI preview 1 does not have\n  --> m\n  help: did you mean `fd_close`?",
    ),
    (WASI.replace("snapshot_preview1", "unstable").replace("close", "clos"), "which WASI unstable does not have"),
    (WASI.replace("i32", "i64"), "with the Wasm signature (i64) -> i64, but WASI has it as (i32) -> i32"),
    ('(func (export "_start") (param i32))', "export `_start` has the Wasm signature (i32) -> (), expected () -> ()"),
    ('(func (export "_initialize") (result i32) (i32.const 1))', "export `_initialize` has the Wasm signature"),
    ('(memory (export "memory") i64 1)', "the memory `memory` can't be used: it has 64-bit addresses"),
]


@pytest.mark.parametrize(("fields", "sentence"), UNLINKABLE)
def test_what_can_not_be_linked_is_found_by_check(fields: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes(module(fields))
    (finding,) = examine([tmp_path / "m.wasm"])[0].findings
    assert sentence in str(finding).replace(str(tmp_path / "m.wasm"), "m")
    with pytest.raises(LinkError, match=r"^module `m`"):
        marine_gen.load({"m": module(fields)})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wasi_call_without_memory(engine: str) -> None:
    wasm = module(
        '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
        '(func (export "_start") (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))))'
    )
    with pytest.raises(TrapError, match=r"was given a pointer that is out of bounds \(4 bytes at 8\)"):
        marine_gen.load({"m": wasm}, engine=engine)

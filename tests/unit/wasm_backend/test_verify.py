"""The verifier of glue: code of guests that keeps to its own passes, and each way to break a rule is found."""

from __future__ import annotations

import pytest
import wasmtime

from marine_gen.wasm.sections import scan
from marine_gen.wasm_backend import GlueError, verify_glue
from marine_gen.wasm_backend.guests import MARK
from marine_runtime.wasm import LIFTED
from tests.guests.descriptions import GUESTS
from tests.support.engines import guest
from tests.support.fused import fused_outputs

NEEDS = [
    ("a", None),
    ("b", None),
    ("a", "allocate"),
    ("a", f"{LIFTED}f7"),
    ("b", f"{LIFTED}f7"),
    ("a", f"{LIFTED}t0"),
    ("b", f"{LIFTED}t0"),
    ("a", f"{LIFTED}g0"),
    ("b", f"{LIFTED}g0"),
    ("a", "counter"),
]
HEAD = """(import "0" "staging" (memory $staging 1)) (import "0" "table" (table $stub 1 funcref))
  (import "1" "0" (memory $a 0)) (import "1" "1" (memory $b 0))
  (import "1" "2" (func $allocate (result i32)))
  (import "1" "3" (func $lent (result i32))) (import "1" "4" (func $other (result i32)))
  (import "1" "5" (table $ta 0 funcref)) (import "1" "6" (table $tb 0 funcref))
  (import "1" "7" (global $ga (mut i32))) (import "1" "8" (global $gb (mut i32)))
  (import "1" "9" (global $given (mut i32)))
  (global $own (mut i32) (i32.const 0)) (type $t (func)) (func $helper)"""


def region(code: str, memory: int = 1) -> str:
    """A region of `a`, or of whom a memory belongs to."""
    return f"(block $region (drop (i32.const {MARK + memory})) {code})"


def verify(body: str, more: str = "") -> None:
    """Verify glue with one adapter, whose first local that is no parameter is 1."""
    text = f"(module {HEAD} (func $adapter (param $p i32) (local $x i32) (local $y i32) {body}) {more})"
    verify_glue(bytes(wasmtime.wat2wasm(text)), NEEDS)


PASS = {
    "its memory": "(i32.store $a offset=70000 (i32.const 0) (i32.load8_u $a (i32.const 1)))",
    "its size": "(drop (memory.size $a)) (drop (memory.grow $a (i32.const 1)))",
    "copies": "(memory.copy $a $a (i32.const 0) (i32.const 1) (i32.const 2))",
    "filling": "(memory.fill $a (i32.const 0) (i32.const 0) (i32.const 1))",
    "its global": "(global.set $ga (i32.add (global.get $ga) (i32.const 1)))",
    "its table": "(call_indirect $ta (type $t) (i32.const 0))",
    "what is lent": "(drop (call $lent))",
    "branches inside": "(block (loop (br_if 0 (local.tee $x (local.get $x))) (br 1) (br_table 0 1 2 (local.get $x))))",
    "its locals": "(local.set $x (local.get $x))",
    "a choice": "(if (local.get $x) (then (nop)) (else (br $region)))",
}

BREAKS = {
    "another memory": "(drop (i32.load $b (i32.const 0)))",
    "staging": "(drop (i32.load $staging (i32.const 0)))",
    "a store elsewhere": "(i64.store32 $b (i32.const 0) (i64.const 0))",
    "the size of another memory": "(drop (memory.size $b))",
    "growth of another memory": "(drop (memory.grow $staging (i32.const 0)))",
    "a copy from elsewhere": "(memory.copy $a $b (i32.const 0) (i32.const 1) (i32.const 2))",
    "a copy to elsewhere": "(memory.copy $staging $a (i32.const 0) (i32.const 1) (i32.const 2))",
    "filling elsewhere": "(memory.fill $b (i32.const 0) (i32.const 0) (i32.const 1))",
    "another global": "(global.set $gb (i32.const 0))",
    "a global of the glue": "(drop (global.get $own))",
    "a global that is not lent": "(drop (global.get $given))",
    "another table": "(call_indirect $tb (type $t) (i32.const 0))",
    "the table of the stub": "(call_indirect $stub (type $t) (i32.const 0))",
    "a function of another": "(drop (call $other))",
    "a function that is not lent": "(drop (call $allocate))",
    "a function of the glue": "(call $helper)",
    "the adapter": "(call $adapter (i32.const 0))",
    "a return": "(return)",
    "a tail call": "(return_call $helper)",
    "a vector": "(drop (i8x16.bitmask (v128.load $b (i32.const 0))))",
    "passive data": "(memory.init $b $d (i32.const 0) (i32.const 0) (i32.const 0))",
    "a reference": "(drop (ref.is_null (ref.func $helper)))",
    "a parameter": "(drop (local.get $p))",
    "a parameter that is set": "(local.set $p (i32.const 0))",
    "a region inside": region("(nop)"),
    "a region of another inside": region("(nop)", 2),
}


@pytest.mark.parametrize("code", PASS.values(), ids=list(PASS))
def test_code_that_keeps_to_its_own(code: str) -> None:
    verify(region(code))
    verify(f"(local.set $x (local.get $p)) {region(code)} {region('(local.set $y (i32.const 0))', 2)}")


@pytest.mark.parametrize("code", BREAKS.values(), ids=list(BREAKS))
def test_code_that_breaks_a_rule(code: str) -> None:
    data = '(data $d "x") (elem declare func $helper)'
    with pytest.raises(GlueError):
        verify(region(code), data)
    with pytest.raises(GlueError):
        verify(f"(block (loop {region(f'(block {code})')}))", data)


@pytest.mark.parametrize(
    "body",
    [
        f"(block $out {region('(br $out)')})",
        f"(block $out {region('(br_if $out (i32.const 1))')})",
        f"(block $out {region('(block (br_table 0 1 2 (i32.const 1)))')})",
        region("(br 1)"),
    ],
    ids=["a branch", "a condition", "a table", "the end of the function"],
)
def test_branches_out_of_a_region(body: str) -> None:
    with pytest.raises(GlueError, match="a branch out of the block"):
        verify(body)


@pytest.mark.parametrize(
    "body",
    [
        f"{region('(local.set $x (i32.const 1))')} (drop (local.get $x))",
        f"(drop (local.tee $x (i32.const 1))) {region('(local.set $x (i32.const 1))')}",
    ],
    ids=["behind it", "before it"],
)
def test_locals_of_regions_are_not_read_elsewhere(body: str) -> None:
    with pytest.raises(GlueError, match="read outside"):
        verify(body)


def test_locals_belong_to_one_region() -> None:
    with pytest.raises(GlueError, match="of another region"):
        verify(region("(local.set $x (i32.const 1))") + region("(drop (local.get $x))", 2))


@pytest.mark.parametrize("memory", [0, 3, 900])
def test_marks_name_the_memory_of_a_guest(memory: int) -> None:
    with pytest.raises(GlueError, match="not a guest's"):
        verify(region("(nop)", memory))


@pytest.mark.parametrize(
    "body",
    [
        "(drop (call $lent))",
        "(global.set $ga (i32.const 0))",
        "(drop (global.get $gb))",
        "(call_indirect $ta (i32.const 0))",
    ],
)
def test_what_is_lent_is_used_in_regions_alone(body: str) -> None:
    with pytest.raises(GlueError, match="outside of them"):
        verify(body)
    with pytest.raises(GlueError, match="outside of them"):
        verify(region("(nop)") + body)
    verify(f"(drop (call $allocate)) (global.set $own (global.get $given)) {region('(nop)')}")


def test_what_is_lent_is_found_however_its_index_is_written() -> None:
    glue = bytes(wasmtime.wat2wasm(f"(module {HEAD} (func $adapter (drop (call $lent))))"))
    section = next(item for item in scan(glue) if item.id == 10)
    helper, adapter = b"\x00\x0b", b"\x00\x10\x81\x80\x00\x1a\x0b"
    code = b"\x02" + b"".join(bytes([len(body)]) + body for body in (helper, adapter))
    made = glue[: section.start] + bytes([10, len(code)]) + code
    wasmtime.Module.validate(wasmtime.Engine(), made)
    with pytest.raises(GlueError, match="outside of them"):
        verify_glue(made, NEEDS)


def test_all_glue_of_the_guests_passes() -> None:
    """And regions are there, of both sides of calls."""
    regions = 0
    for output in fused_outputs({item.name: guest(item.name) for item in GUESTS}).values():
        if output is not None:
            verify_glue(output.wasm["glue"], output.code.needs)
            regions += output.code.glue.count("(block $lifted.")
    assert regions > 100

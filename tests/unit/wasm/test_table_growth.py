"""Modules whose tables grow get guards; all code of others can at least be walked over."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import wasmtime

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.wasm.immediates import next_instruction, skip_value_type
from marine_gen.wasm.reader import Reader
from marine_gen.wasm.sections import scan
from marine_gen.wasm.table_growth import charge_table_growth
from marine_runtime import LoadError, TrapError
from marine_runtime.wasm import Store, WasmRuntime
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.public import PublicLayer
from tests.guests.descriptions import GUESTS
from tests.support.engines import guest

GROW = '(func (export "grow") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))'
EVERYTHING = """(module
  (type $f (func)) (rec (type $s (struct (field (mut i32)))) (type $a (array (mut i32))))
  (tag $e (param i32)) (memory 1) (table $t 1 funcref) (global $g (mut i32) (i32.const 0))
  (elem $el func $all) (data $d "x")
  (func $all (param i32) (local (ref null $s) v128 funcref)
    block (result i32) i32.const -5 end drop
    (block $out (result i32) (try_table (result i32) (catch $e $out) (i32.const 1) (throw $e)))  drop
    (block $any (try_table (catch_all $any) nop))
    (loop (br_if 0 (i32.const 0))) (block (block (br_table 0 1 0 (i32.const 1))))
    (drop (i64.const -123456789012)) (drop (f32.const 1)) (drop (f64.const 2))
    (drop (i64.load offset=70000 align=4 (i32.const 0))) (i32.store8 (i32.const 0) (i32.const 1))
    (drop (memory.size)) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop $d)
    (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)) (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
    (table.init $t $el (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $el)
    (table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0))
    (drop (table.grow $t (ref.null func) (i32.const 0xfc0f)))
    (table.fill $t (i32.const 0) (ref.func $all) (i32.const 1))
    (table.set $t (i32.const 0) (table.get $t (i32.const 0)))
    (drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 0)))
    (drop (i32.trunc_sat_f64_s (f64.const 1))) (drop (i32.extend8_s (i32.const 1)))
    (drop (v128.const i64x2 1 2)) (drop (v128.load8_lane 3 (i32.const 0) (v128.const i32x4 1 2 3 4)))
    (drop (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 2) (local.get 2)))
    (drop (i32x4.extract_lane 1 (local.get 2))) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 2)))
    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (atomic.fence)
    (drop (struct.get $s 0 (struct.new $s (i32.const 1)))) (drop (array.new_fixed $a 2 (i32.const 1) (i32.const 2)))
    (drop (ref.test (ref $s) (local.get 1))) (drop (ref.cast (ref null $s) (local.get 1)))
    (block $b (result (ref null $s)) (br_on_cast $b (ref null $s) (ref null $s) (local.get 1))) drop
    (drop (ref.is_null (ref.null $f))) (call_indirect $t (type $f) (i32.const 0)) (call_ref $f (ref.null $f))
    (return_call $all (i32.const 1))))"""


def code_of(wasm: bytes) -> Iterator[Reader]:
    """A reader for every function body."""
    section = next(item for item in scan(wasm) if item.id == 10)
    reader = Reader(wasm, section.payload_start, section.end, "the code section", Code.WASM_MALFORMED)
    for _ in range(reader.u32("bodies")):
        size = reader.u32("a size")
        yield Reader(wasm, reader.position, reader.position + size, "a body", Code.WASM_MALFORMED)
        reader.take(size, "a body")


def walk(wasm: bytes) -> list[tuple[int, int]]:
    """All instructions; every body has to end with an `end`, exactly."""
    found = []
    for body in code_of(wasm):
        for _ in range(body.u32("groups of locals")):
            body.u32("locals")
            skip_value_type(body)
        depth = 1
        while not body.exhausted:
            found.append(next_instruction(body))
            depth += {0x02: 1, 0x03: 1, 0x04: 1, 0x1F: 1, 0x0B: -1}.get(found[-1][0], 0)
            assert depth or body.exhausted
        assert depth == 0
    return found


@pytest.mark.parametrize("name", sorted({item.name for item in GUESTS}))
def test_code_of_guests(name: str) -> None:
    wasm = guest(name)
    assert len(walk(wasm)) > 10
    assert charge_table_growth(wasm) is wasm


def test_every_kind_of_instruction() -> None:
    wasm = bytes(wasmtime.wat2wasm(EVERYTHING))
    before = walk(wasm)
    assert before.count((0xFC, 15)) == 1
    assert {opcode for opcode, _ in before} >= {0x1F, 0x0E, 0x1C, 0x11, 0x12, 0x14, 0xFB, 0xFC, 0xFD, 0xFE}
    assert len(set(before)) >= 50
    changed = charge_table_growth(wasm)
    after = walk(changed)
    assert after.index((0x10, 0)) == before.index((0xFC, 15))
    assert len(list(code_of(changed))) == len(list(code_of(wasm))) + 1
    config = wasmtime.Config()
    config.wasm_gc = config.wasm_function_references = config.wasm_exceptions = config.wasm_threads = True
    wasmtime.Module.validate(wasmtime.Engine(config), changed)


@pytest.mark.parametrize("code", ["fb7f", "fc7f", "fd9408", "fe05", "06", "18", "27", "c5", "ff"])
def test_unknown_instructions(code: str) -> None:
    data = bytes.fromhex(code)
    with pytest.raises(DiagnosticError, match="is not known"):
        next_instruction(Reader(data, 0, len(data), "a body", Code.WASM_MALFORMED))


@pytest.fixture(params=[FastLayer, PublicLayer])
def runtime(request: pytest.FixtureRequest) -> WasmRuntime:
    return WasmRuntime(request.param())


def opened(runtime: WasmRuntime, text: str, limit: int | None) -> tuple[Store, wasmtime.Instance]:
    store = runtime.store(Budget(limit))
    module = runtime.compile(charge_table_growth(bytes(wasmtime.wat2wasm(f"(module {text})"))))
    return store, store.instantiate(module, {}, charged=True)


def test_growth_is_charged_to_the_element(runtime: WasmRuntime) -> None:
    store, instance = opened(runtime, f"(table $t 0 funcref) {GROW}", 8 * 10 + 7)
    grow = instance.function("grow", "I", "i")
    assert [grow(4), grow(7), grow(6), grow(1), grow(0)] == [0, -1, 4, -1, 10]
    assert (store.budget.used, store.budget.rejects) == (80, 2)
    assert grow(2**32 - 1) == -1
    assert (store.budget.used, store.budget.rejects) == (80, 2)  # no table can be that large: nobody was asked
    store.close()


def test_a_tables_own_maximum_is_no_refusal(runtime: WasmRuntime) -> None:
    store, instance = opened(runtime, f"(table 3 externref) (table $t 2 5 funcref) {GROW}", None)
    grow = instance.function("grow", "I", "i")
    assert [grow(4), grow(3), grow(1)] == [-1, 2, -1]
    assert (store.budget.used, store.budget.rejects) == (24, 0)
    store.close()


def test_tables_of_other_kinds(runtime: WasmRuntime) -> None:
    text = """(type $f (func)) (func $first) (elem declare func $first)
      (table $r 1 (ref $f) (ref.func $first)) (table $w i64 0 9000000000 externref)
      (func (export "typed") (param i32) (result i32) (table.grow $r (ref.func $first) (local.get 0)))
      (func (export "wide") (param i64) (result i64) (table.grow $w (ref.null extern) (local.get 0)))
      (func (export "size") (result i64) (table.size $w))"""
    store, instance = opened(runtime, text, 80)
    typed, wide = instance.function("typed", "I", "i"), instance.function("wide", "q", "q")
    assert [typed(4), wide(5), wide(2), wide(9_000_000_001), wide(8_999_999_995), wide(1), typed(1)] == [
        *(1, 0, -1, -1, -1, 5, -1),
    ]
    assert instance.function("size", "", "q")() == 6
    assert (store.budget.used, store.budget.rejects) == (80, 3)
    store.close()


def test_a_start_function_is_charged_too(runtime: WasmRuntime) -> None:
    text = """(table $t 0 funcref) (global $was (mut i32) (i32.const 7))
      (func $go (global.set $was (table.grow $t (ref.null func) (i32.const 3)))) (start $go)
      (func (export "was") (result i32) (global.get $was))"""
    for limit, expected in ((24, 0), (23, -1)):
        store, instance = opened(runtime, text, limit)
        assert instance.function("was", "", "i")() == expected
        assert store.budget.rejects == (expected == -1)
        store.close()
    with pytest.raises(TrapError, match="unreachable"):
        opened(
            runtime,
            "(table $t 0 funcref) (func $go (drop (table.grow $t (ref.null func) (i32.const 3)))"
            " unreachable) (start $go)",
            None,
        )


def test_a_longer_spelling_is_found(runtime: WasmRuntime) -> None:
    wasm = bytes(wasmtime.wat2wasm(f"(module (table $t 0 funcref) {GROW})"))
    long = wasm.replace(b"\xfc\x0f\x00", b"\xfc\x8f\x80\x00\x00")
    at = wasm.index(b"\xfc\x0f\x00")
    body, section = wasm.rindex(b"\x09", 0, at), wasm.index(b"\x0a\x0b\x01\x09")
    long = long[: section + 1] + b"\x0d\x01\x0b" + long[section + 4 :]
    assert (body, wasm[section + 3]) == (section + 3, 9)
    assert (0xFC, 15) in walk(long)
    store = runtime.store(Budget(8))
    grow = store.instantiate(runtime.compile(charge_table_growth(long)), {}, charged=True).function("grow", "I", "i")
    assert [grow(1), grow(1)] == [0, -1]
    store.close()


def test_guests_may_use_the_names(runtime: WasmRuntime) -> None:
    names = [f'(export "marine-gen:{name}")' for name in ("table growth", "start")]
    for table in ("2 externref", "0 1 externref", "1 1 funcref"):
        store, _ = opened(runtime, f"(table {names[0]} {table}) (func {names[1]} (param i32))", 8)
        store.close()
    with pytest.raises(TrapError, match="unreachable"):
        opened(runtime, f"(func {names[1]} (unreachable))", None)
    taken = f"(table $t {names[0]} 0 1 funcref)"
    with pytest.raises(LoadError, match="duplicate export name"):
        opened(runtime, taken + GROW, 8)
    store, instance = opened(runtime, f'{taken} (func (export "size") (result i32) (table.size $t))', 8)
    assert instance.function("size", "", "i")() == 1
    store.close()


def test_damaged_modules() -> None:
    """Whatever the bytes are, there is a diagnostic or there are bytes."""
    wasm = bytes(wasmtime.wat2wasm(EVERYTHING))
    choose = random.Random(1)
    refused = 0
    for _ in range(500):
        damaged = bytearray(wasm)
        for _ in range(choose.randint(1, 3)):
            damaged[choose.randrange(8, len(damaged))] = choose.randrange(256)
        if choose.random() < 0.2:
            del damaged[choose.randrange(8, len(damaged)) :]
        try:
            charge_table_growth(bytes(damaged))
        except DiagnosticError:
            refused += 1
    assert 0 < refused < 500


def test_modules_that_stay_as_they_are() -> None:
    for text in (
        "",
        '(import "a" "t" (table $t 0 funcref))' + GROW,
        "(func (drop (i32.const 0x7fc)) (drop (i32.const 15)))",
    ):
        wasm = bytes(wasmtime.wat2wasm(f"(module {text})"))
        assert charge_table_growth(wasm) is wasm

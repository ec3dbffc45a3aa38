"""Functions of a guest that can be lifted, and the exports of the guest for that."""

from __future__ import annotations

import pytest
import wasmtime

from marine_gen.wasm.lifting import DEEPEST, LONGEST, Lifted, lifted, with_exports
from marine_gen.wasm.sections import scan
from marine_runtime.wasm import LIFTED, open_runtime
from tests.guests.descriptions import GUESTS
from tests.support.engines import guest

HEAD = """(memory (export "memory") 1) (table 1 funcref)
  (global $g (mut i32) (i32.const 1)) (global $c i32 (i32.const 7))
  (global $f64 (mut i64) (i64.const 0)) (type $f (func (param i32) (result i32)))"""
LONG = "(nop) " * LONGEST


def functions(fields: str, *, head: str = HEAD, others: bool = False) -> dict[str, Lifted]:
    """The exports of a module with these fields that are lifted."""
    wasm = bytes(wasmtime.wat2wasm(f"(module {fields} {head})" if "import" in fields else f"(module {head} {fields})"))
    names = [name for name in ("f", "g") if f'(export "{name}")' in fields]
    return lifted(wasm, [] if others else names, names if others else [])


LIFTS = {
    "numbers": '(func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const -5)))',
    "64 bits": '(func (export "f") (param i64) (result i64) (i64.rotl (local.get 0) (i64.const -9223372036854775808)))',
    "memory": '(func (export "f") (i64.store offset=70000 align=2 (i32.load8_u (i32.const 1)) (i64.const 2)))',
    "globals": '(func (export "f") (result i32) (global.set $g (global.get $c)) (global.get $g))',
    "copies": """(func (export "f") (memory.copy (i32.const 0) (i32.const 8) (i32.const 8))
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)))""",
    "growth": '(func (export "f") (result i32) (i32.add (memory.grow (i32.const 1)) (memory.size)))',
    "tables": '(func (export "f") (result i32) (call_indirect (type $f) (i32.const 1) (i32.const 0)))',
    "a branch to the function": '(func (export "f") (param i32) (result i32) (br_if 0 (i32.const 3) (local.get 0)))',
    "a table of branches": """(func (export "f") (param i32) (block (block (br_table 0 1 2 (local.get 0))) (nop)))""",
    "a loop": '(func (export "f") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))',
    "an end in the middle": """(func (export "f") (param i32) (result i32)
      (if (result i32) (local.get 0) (then (return (i32.const 1))) (else (i32.extend8_s (i32.const 2)))))""",
    "no end": '(func (export "f") unreachable)',
}

STAYS = {
    "floating point": '(func (export "f") (result f64) (f64.const 1))',
    "a local of another type": '(func (export "f") (local f32))',
    "a comparison of floats": '(func (export "f") (drop (f32.eq (f32.const 1) (f32.const 2))))',
    "two results": '(func (export "f") (result i32 i32) (i32.const 1) (i32.const 2))',
    "a block of two results": '(func (export "f") (block (result i32 i32) (i32.const 1) (i32.const 2)) drop drop)',
    "a reference": '(func (export "f") (drop (ref.is_null (ref.null func))))',
    "a growing table": '(func (export "f") (drop (table.grow 0 (ref.null func) (i32.const 1))))',
    "vectors": '(func (export "f") (drop (i8x16.bitmask (v128.const i32x4 1 2 3 4))))',
    "passive data": '(data $d "x") (func (export "f") (data.drop $d))',
    "a typed select": '(func (export "f") (drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 0))))',
    "a tail call": '(func $h) (func (export "f") (return_call $h))',
    "long code": f'(func (export "f") {LONG})',
    "many locals": f'(func (export "f") (local {"i32 " * 201}))',
    "an import": '(import "a" "b" (func $i)) (func (export "f") (call $i))',
    "an exported import": '(func (export "f") (import "a" "b"))',
}


@pytest.mark.parametrize("fields", LIFTS.values(), ids=list(LIFTS))
def test_what_is_lifted(fields: str) -> None:
    assert "f" in functions(fields)


@pytest.mark.parametrize("fields", STAYS.values(), ids=list(STAYS))
def test_what_stays_a_call(fields: str) -> None:
    assert functions(fields) == {}


MODULES = {
    "no memory": "(global $g (mut i32) (i32.const 1))",
    "two memories": '(memory (export "memory") 1) (memory 1)',
    "a memory of 64 bits": '(memory (export "memory") i64 1)',
    "a shared memory": '(memory (export "memory") 1 1 shared)',
    "globals of other types": '(memory (export "memory") 1) (global f64 (f64.const 1))',
    "a reserved name": f'(memory (export "memory") 1) (func (export "{LIFTED}f0"))',
    "an imported global": '(import "a" "b" (global i32)) (memory (export "memory") 1)',
}


@pytest.mark.parametrize("head", MODULES.values(), ids=list(MODULES))
def test_modules_of_which_nothing_is_lifted(head: str) -> None:
    body = '(func (export "f") (result i32) (i32.const 1))'
    wasm = bytes(wasmtime.wat2wasm(f"(module {head} {body})"))
    assert lifted(wasm, ["f"]) == {}
    assert lifted(bytes(wasmtime.wat2wasm(f'(module (memory (export "memory") 1) {body})')), ["f"]) != {}


def nested(depth: int, body: str = "(nop)") -> str:
    """`f` calls a function that calls one, and so on."""
    calls = "".join(f"(func $h{level} (call $h{level + 1}))" for level in range(1, depth))
    return f'(func (export "f") (call $h1)) {calls} (func $h{depth} {body})'


def test_functions_that_are_called_are_taken_in_to_a_depth() -> None:
    for depth in range(1, DEEPEST + 1):
        assert functions(nested(depth))["f"].needs == ()
    (need,) = functions(nested(DEEPEST + 1))["f"].needs
    assert need.name == f"{LIFTED}f{DEEPEST}"  # which itself calls another


@pytest.mark.parametrize("body", [LONG, "(drop (f64.const 1))", "(call $h1)"], ids=["long", "other", "itself"])
def test_what_is_not_taken_in_is_a_function_of_the_guest(body: str) -> None:
    (need,) = functions(nested(1, body))["f"].needs
    assert need.name.startswith(f"{LIFTED}f")


def test_other_functions_are_lifted_only_when_they_call_nothing() -> None:
    assert functions(nested(1), others=True) == {}
    assert functions(LIFTS["tables"], others=True) == {}
    assert "f" in functions(LIFTS["globals"], others=True)


def test_code_that_is_damaged_is_not_lifted() -> None:
    """Nothing is refused here: whoever compiles the code says why."""
    wasm = bytes(wasmtime.wat2wasm(f"(module {HEAD} {LIFTS['a table of branches']})"))
    section = next(item for item in scan(wasm) if item.id == 10)
    for position in range(section.payload_start, len(wasm)):
        for byte in (0, 0x0B, 0x7F, 0x80, 0xFF):
            lifted(wasm[:position] + bytes([byte]) + wasm[position + 1 :], ["f"])
            lifted(wasm[:position], ["f"])


def test_exports_are_added_and_not_listed() -> None:
    fields = LIFTS["globals"] + LIFTS["tables"].replace('"f"', '"g"')
    wasm = bytes(wasmtime.wat2wasm(f"(module {HEAD} {fields})"))
    found = lifted(wasm, ["f", "g"])
    made = with_exports(wasm, found)
    names = {item.name for item in wasmtime.Module(wasmtime.Engine(), made).exports}
    assert names == {"memory", "f", "g", f"{LIFTED}g0", f"{LIFTED}g1", f"{LIFTED}t0"}
    assert list(open_runtime().compile(made).exports) == ["f", "g"]
    assert with_exports(wasm, {}) is wasm


@pytest.mark.parametrize("name", [item.name for item in GUESTS])
def test_guests_of_the_c_kit_lift_what_hands_over_results(name: str) -> None:
    names = ["allocate", "release_objects", "get_result_ptr", "get_result_size", "set_result_ptr", "set_result_size"]
    wasm = guest(name)
    found = lifted(wasm, names)
    exported = {item.name for item in wasmtime.Module(wasmtime.Engine(), wasm).exports}
    assert exported & set(names[2:]) <= set(found)  # the others may be too long
    wasmtime.Module.validate(wasmtime.Engine(), with_exports(wasm, found))

"""The sizes of tables, read from the binary."""

from __future__ import annotations

import pytest
import wasmtime

from marine_runtime.wasm.tables import initial_table_elements


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", 0),
        ("(memory 1) (func)", 0),
        ("(table 0 funcref)", 0),
        ("(table 300 funcref)", 300),
        ("(table 5 9 externref) (table 200 200000 funcref) (memory 2)", 205),
        ("(func $f) (table 3 funcref (ref.func $f)) (table 70000 funcref (ref.null func)) (table 1 funcref)", 70004),
        ("(table 4 (ref null func))", 4),
        ("(table 3 (ref i31) (ref.i31 (i32.add (i32.const 0x580b) (i32.const 11)))) (table 2 funcref)", 5),
        ("(type $a (array i64)) (table 3 (ref $a) (array.new_fixed $a 1 (i64.const 11))) (table 2 funcref)", 5),
        ('(import "a" "t" (table 7 funcref)) (table 2 funcref)', 2),
    ],
)
def test_initial_elements(fields: str, expected: int) -> None:
    assert initial_table_elements(bytes(wasmtime.wat2wasm(f"(module {fields})"))) == expected

"""Every instruction on every engine, also those that no generator emits; ranges as in docs/spec/instructions.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from marine_gen.artifact import compile_module
from marine_gen.interfaces import INSTRUCTIONS, InstructionKind, Operator
from marine_runtime import Service
from marine_runtime.abi.layout import INTEGER_RANGES
from marine_runtime.types import Prim
from tests.support.adapters import PRELUDE
from tests.support.engines import OFTEN, Outcome, assemble, failure, load, outcome, shown

WAT = """
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "allocate") (param i32 i32) (result i32)
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 0))))
  (func (export "release_objects"))
  (func (export "get_result_size") (result i32) (i32.const 0))
  (func (export "get_result_ptr") (result i32) (i32.const 0))
  (func (export "set_result_size") (param i32))
  (func (export "set_result_ptr") (param i32))
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "both") (param i32 i64) (result i64 i32 f32 f64)
    (local.get 1) (local.get 0) (f32.const -0) (f64.const nan))
  (data (i32.const 16) "bytes\\00\\ff")
  (data (i32.const 64) "\\10\\00\\00\\00\\05\\00\\00\\00\\ff\\ff\\ff\\ff\\00\\00\\00\\00"))
"""
CORE = """
(@interface type (func)) (@interface export "i32" (func 6))
(@interface export "i64" (func 6)) (@interface export "both" (func 6))
(@interface type (record $Pair (field $name: string field $list: array (u16))))
"""
I32, I64, BOTH = "call-core 6", "call-core 7", "call-core 8"


class Functions:
    """Collects adapters and makes a module of them; every export is a function of its own without a core function."""

    def __init__(self) -> None:
        self._lines = [PRELUDE, CORE]
        self._types = 8
        self._names: list[str] = []

    def add(self, name: str, params: str, results: str, instructions: str) -> str:
        """An export called `name`; `params` is `$a: s32 $b: …`."""
        given = (f"(param {params})" if params else "") + (f" (result {results})" if results else "")
        adapter, core = self._types, self._types + 1
        self._types += 2
        self._lines += [
            f"(@interface type (func {given})) (@interface type (func))",
            f"(@interface func (type {adapter}) {instructions})",
            f'(@interface export "{name}" (func {core})) (@interface implement (func {core}) (func {adapter}))',
        ]
        self._names.append(name)
        return name

    def module(self) -> bytes:
        # Every exported adapter needs a Wasm export of its name.
        extra = " ".join(f'(func (export "{name}"))' for name in self._names)
        return assemble(WAT.rstrip().removesuffix(")") + extra + ")", "\n".join(self._lines))


CONVERSIONS = [
    item
    for item in INSTRUCTIONS
    if item.kind is InstructionKind.CONVERT and Prim.BOOLEAN not in (*item.pops, *item.pushes)
]
_TO_CORE = {Prim.I32: ("s32", "i32.from_s32"), Prim.I64: ("s64", "i64.from_s64")}
_FROM_CORE = {Prim.I32: ("s32", "s32.from_i32"), Prim.I64: ("s64", "s64.from_i64")}
_CALLS = {Prim.I32: I32, Prim.I64: I64}


def wraps(target: Prim, source: Prim) -> bool:
    return {target, source} in ({Prim.I32, Prim.U32}, {Prim.I64, Prim.U64})


@cache
def conversions() -> bytes:
    """For each conversion: the operand as it is, after a core call, and before a core call where it is to core."""
    functions = Functions()
    for item in CONVERSIONS:
        (source,), (target,) = item.pops, item.pushes
        assert isinstance(source, Prim)
        assert isinstance(target, Prim)
        given, before = _TO_CORE.get(source, (str(source), ""))
        made, after = _FROM_CORE.get(target, (str(target), ""))
        params = f"$x: {given}"
        functions.add(item.mnemonic, params, made, f"arg.get 0 {before} {item.mnemonic} {after}")
        if source in _CALLS:
            core = f"arg.get 0 {before} {_CALLS[source]}"
            functions.add(f"{item.mnemonic} of a result", params, made, f"{core} {item.mnemonic} {after}")
            # The result is also wanted signed, so it can't be read either way for nothing.
            both = f"{core} dup {item.mnemonic} {after} swap2 {_FROM_CORE[source][1]}"
            functions.add(f"{item.mnemonic} of a shared result", params, f"{made} {given}", both)
        else:
            core = f"arg.get 0 {item.mnemonic} {_CALLS[target]} {after}"
            functions.add(f"{item.mnemonic} before a call", params, made, core)
    return functions.module()


@pytest.fixture(scope="module")
def services() -> Iterator[list[Service]]:
    loaded = [load({"m": conversions()}, item.engine, item.call_layer) for item in OFTEN]
    yield loaded
    for service in loaded:
        service.close()


@pytest.mark.parametrize("item", CONVERSIONS, ids=lambda item: item.mnemonic)
def test_ranges_of_conversions(services: list[Service], item: Operator) -> None:
    """Values that fit come out unchanged, same-width unsigned conversions wrap, everything else is an error."""
    (source,), (target,), mnemonic = item.pops, item.pushes, item.mnemonic
    assert isinstance(source, Prim)
    assert isinstance(target, Prim)
    low, high = INTEGER_RANGES[source]
    first, last = INTEGER_RANGES[target]
    edges = {low, high, first, last, 0, 1, -1, first - 1, last + 1, 2**31, 2**31 - 1, -(2**31), 2**32, 2**63, 255, 256}
    for value in sorted(edge for edge in edges if low <= edge <= high):
        for service in services:
            for function in (name for name in service.modules["m"] if name.split()[0] == mnemonic):
                found = outcome(lambda: service.call("m", function, [value]))  # noqa: B023  # called at once
                if wraps(target, source):
                    wrapped = (value - first) % 2 ** (32 if target in (Prim.I32, Prim.U32) else 64) + first
                    expected = shown((wrapped, value) if "shared" in function else wrapped)
                elif first <= value <= last:
                    expected = shown((value, value) if "shared" in function else value)
                else:
                    assert found.error[0].endswith(f"`{mnemonic}`: {value} is out of range for {target}")
                    assert f"export adapter of `{function}`" in found.error[0]
                    continue
                assert found == Outcome(expected), (service, function, value)


def everywhere(build: Callable[[Functions], str], *args: object) -> str:
    """The result of one function, which all engines must agree on."""
    functions = Functions()
    name = build(functions)
    wasm = functions.module()
    found = []
    for item in OFTEN:
        with load({"m": wasm}, item.engine, item.call_layer) as service:
            try:
                found.append(Outcome(shown(service.call("m", name, args))))
            except Exception as error:
                found.append(failure(error))
    shown_as = "\n".join(f"{item}: {result}" for item, result in zip(OFTEN, found, strict=True))
    assert len(set(found)) == 1, f"{shown_as}\n{compile_module('m', wasm).generate().source}"
    return found[0].value or found[0].error[0]


@pytest.mark.parametrize(
    ("params", "results", "instructions", "args", "expected"),
    [
        # The stack: dup and swap2 on every kind of value, results in any order.
        ("$a: s32 $b: string", "string s32", "arg.get 0 arg.get 1 swap2", [1, "x"], "('x', 1)"),
        ("$a: array (s8)", "array (s8) array (s8)", "arg.get 0 dup", [[1]], "([1], [1])"),
        ("$a: record 7", "record 7 record 7", "arg.get 0 dup swap2", [("n", [1])], "(('n', [1]), ('n', [1]))"),
        ("", "", "", [], "None"),
        ("$a: f64", "", "", [1.0], "None"),
        # Constants, also negative ones, and their use as addresses.
        (
            "",
            "s32 s32",
            "i32.push -2147483648 s32.from_i32 i32.push 2147483647 s32.from_i32",
            [],
            "(-2147483648, 2147483647)",
        ),
        (
            "",
            "s64 s64",
            "i64.push -9223372036854775808 s64.from_i64 i64.push 9223372036854775807 s64.from_i64",
            [],
            f"{(-(2**63), 2**63 - 1)}",
        ),
        ("", "u32 u64", "i32.push -1 u32.from_i32 i64.push -1 u64.from_i64", [], f"{(2**32 - 1, 2**64 - 1)}"),
        ("", "u32 s32", "i32.push -1 dup u32.from_i32 swap2 s32.from_i32", [], f"{(2**32 - 1, -1)}"),
        ("", "s32", f"i32.push -5 {I32} s32.from_i32", [], "-5"),
        ("", "bool bool", "i32.push 0 bool.from_i32 i32.push -1 bool.from_i32", [], "(False, True)"),
        ("", "string", "i32.push 16 i32.push 5 string.lift_memory", [], "'bytes'"),
        ("", "string", "i32.push -1 i32.push 0 string.lift_memory", [], "''"),
        (
            "",
            "string",
            "i32.push -8 i32.push 9 string.lift_memory",
            [],
            "9 bytes at address 4294967288 are outside the memory of 65536 bytes",
        ),
        (
            "",
            "string",
            "i32.push 16 i32.push -1 string.lift_memory",
            [],
            "4294967295 bytes at address 16 are outside the memory of 65536 bytes",
        ),
        # Conversions to and from bool.
        ("$a: bool", "s32", "arg.get 0 i32.from_bool s32.from_i32", [True], "1"),
        ("$a: bool", "s32", f"arg.get 0 i32.from_bool {I32} s32.from_i32", [False], "0"),
        ("$a: s32", "bool", f"arg.get 0 i32.from_s32 {I32} bool.from_i32", [-256], "True"),
        ("$a: bool", "bool", "arg.get 0 i32.from_bool bool.from_i32", [True], "True"),
        # Bytes and strings, under every spelling.
        ("$a: byte_array", "s32", "arg.get 0 byte_array.size s32.from_i32", [b"abc"], "3"),
        ("$a: array (u8)", "s32", "arg.get 0 byte_array.size s32.from_i32", [b""], "0"),
        ("$a: string", "s32", "arg.get 0 string.size s32.from_i32", ["é😀"], "6"),
        (
            "$a: byte_array",
            "byte_array",
            "i32.push 100 arg.get 0 byte_array.lower_memory byte_array.lift_memory",
            [b"\0\xff"],
            r"b'\x00\xff'",
        ),
        (
            "$a: byte_array",
            "array (u8)",
            "i32.push 100 arg.get 0 byte_array.lower_memory array.lift_memory u8",
            [b"ab"],
            "b'ab'",
        ),
        ("$a: array (u8)", "byte_array", "arg.get 0 array.lower_memory u8 byte_array.lift_memory", [b"ab"], "b'ab'"),
        (
            "$a: byte_array",
            "string",
            "i32.push 100 arg.get 0 byte_array.lower_memory string.lift_memory",
            [b"\xc3\xa9"],
            "'é'",
        ),
        (
            "$a: string",
            "byte_array",
            "i32.push 100 arg.get 0 string.lower_memory byte_array.lift_memory",
            ["é"],
            r"b'\xc3\xa9'",
        ),
        (
            "$a: byte_array",
            "byte_array",
            "i32.push 0 arg.get 0 byte_array.lower_memory byte_array.lift_memory",
            [b""],
            "b''",
        ),
        (
            "$a: byte_array",
            "byte_array",
            "i32.push 0 arg.get 0 byte_array.lower_memory byte_array.lift_memory",
            [b"x"],
            "`allocate` returned 0 for 1 byte",
        ),
        (
            "$a: string",
            "string",
            "i32.push -1 arg.get 0 string.lower_memory string.lift_memory",
            ["x"],
            "1 byte at address 4294967295 is outside the memory of 65536 bytes",
        ),
        (
            "$a: string",
            "s32 s32",
            "i32.push -1 arg.get 0 string.lower_memory s32.from_i32 swap2 s32.from_i32",
            [""],
            "(0, -1)",
        ),
        # Arrays and records, lowered and lifted without a guest in between.
        (
            "$a: array (s64)",
            "array (u64)",
            "arg.get 0 array.lower_memory s64 array.lift_memory u64",
            [[-1, 5]],
            f"{[2**64 - 1, 5]}",
        ),
        (
            "$a: array (f32)",
            "array (u32)",
            "arg.get 0 array.lower_memory f32 array.lift_memory u32",
            [[-0.0]],
            f"{[2**31]}",
        ),
        (
            "$a: array (bool)",
            "array (u8)",
            "arg.get 0 array.lower_memory bool array.lift_memory u8",
            [[True, False]],
            r"b'\x01\x00'",
        ),
        (
            "$a: array (u8)",
            "array (bool)",
            "arg.get 0 array.lower_memory u8 array.lift_memory bool",
            [b"\x00\x02"],
            "[False, True]",
        ),
        (
            "$a: array (array (u8))",
            "array (string)",
            "arg.get 0 array.lower_memory array (u8) array.lift_memory string",
            [[b"a", b""]],
            "['a', '']",
        ),
        (
            "$a: record 7",
            "record 7",
            "arg.get 0 record.lower_memory 7 record.lift_memory 7",
            [("n", [1, 65535])],
            "('n', [1, 65535])",
        ),
        ("", "record 7", "i32.push 64 record.lift_memory 7", [], "('bytes', [])"),
        (
            "",
            "record 7",
            "i32.push -4 record.lift_memory 7",
            [],
            "16 bytes at address 4294967292 are outside the memory of 65536 bytes",
        ),
        ("", "array (i32)", "i32.push 72 i32.push 1 array.lift_memory i32", [], "[-1]"),
        ("", "array (i64)", "i32.push 72 i32.push 1 array.lift_memory i64", [], f"{[2**32 - 1]}"),
        # Several results of a core function, and raw interface types i32 and i64.
        ("$a: i32 $b: i64", "i64 i32 f32 f64", f"arg.get 0 arg.get 1 {BOTH}", [-1, -2], "(-2, -1, -0.0, nan)"),
        ("$a: i32", "i32 u32", "arg.get 0 dup u32.from_i32", [-1], f"{(-1, 2**32 - 1)}"),
        ("$a: i64", "u64 i64", "arg.get 0 u64.from_i64 arg.get 0", [-(2**63)], f"{(2**63, -(2**63))}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_instructions(params: str, results: str, instructions: str, args: list[object], expected: str) -> None:
    found = everywhere(lambda functions: functions.add("f", params, results, instructions), *args)
    assert found == expected or found.endswith(f": {expected}")


def test_every_instruction_is_executed_above() -> None:
    """The list above and the conversions leave nothing out."""
    listed = " ".join(str(mark.args[1]) for mark in test_instructions.pytestmark)  # type: ignore[attr-defined]
    missing = {
        item.mnemonic
        for item in INSTRUCTIONS
        if item.kind is not InstructionKind.CONVERT and item.mnemonic not in listed
    }
    assert missing == set()

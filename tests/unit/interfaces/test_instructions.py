"""The instruction table against docs/spec/instructions.md, and what must agree with it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from marine_gen.interfaces import (
    BY_MNEMONIC,
    BY_OPCODE,
    INSTRUCTIONS,
    Adapter,
    Export,
    Immediate,
    Implementation,
    Instruction,
    InstructionKind,
    Interfaces,
    Operator,
)
from marine_gen.interfaces.instructions import Effect, Slot
from marine_gen.interpreter import engine
from marine_gen.ir import AdapterIR, build_module
from marine_gen.ir.model import Constant
from marine_runtime.types import FunctionType, Prim

_OPCODES = """
00 arg.get 01 call-core
02 s8.from_i32 03 s8.from_i64 04 s16.from_i32 05 s16.from_i64 06 s32.from_i32 07 s32.from_i64 08 s64.from_i32
09 s64.from_i64 0a i32.from_s8 0b i32.from_s16 0c i32.from_s32 0d i32.from_s64 0e i64.from_s8 0f i64.from_s16
10 i64.from_s32 11 i64.from_s64 12 u8.from_i32 13 u8.from_i64 14 u16.from_i32 15 u16.from_i64 16 u32.from_i32
17 u32.from_i64 18 u64.from_i32 19 u64.from_i64 1a i32.from_u8 1b i32.from_u16 1c i32.from_u32 1d i32.from_u64
1e i64.from_u8 1f i64.from_u16 20 i64.from_u32 21 i64.from_u64
22 string.lift_memory 23 string.lower_memory 24 string.size 34 dup 35 swap2
37 array.lift_memory 38 array.lower_memory 3a record.lift_memory 3b record.lower_memory
3e bool.from_i32 3f i32.from_bool 40 i32.push 41 i64.push
43 byte_array.lift_memory 44 byte_array.lower_memory 45 byte_array.size
"""

IMMEDIATES = {
    "arg.get": Immediate.ARGUMENT,
    "call-core": Immediate.CALLEE,
    "i32.push": Immediate.I32,
    "i64.push": Immediate.I64,
    "array.lift_memory": Immediate.TYPE,
    "array.lower_memory": Immediate.TYPE,
    "record.lift_memory": Immediate.RECORD,
    "record.lower_memory": Immediate.RECORD,
}


def test_mnemonics_and_opcodes() -> None:
    words = _OPCODES.split()
    wanted = {mnemonic: int(opcode, 16) for opcode, mnemonic in zip(words[::2], words[1::2], strict=True)}
    assert {item.mnemonic: item.opcode for item in INSTRUCTIONS} == wanted
    assert len(INSTRUCTIONS) == len(BY_OPCODE) == len(BY_MNEMONIC) == 50
    assert list(BY_OPCODE) == sorted(BY_OPCODE)


def test_immediates() -> None:
    assert {
        item.mnemonic: item.immediate for item in INSTRUCTIONS if item.immediate is not Immediate.NONE
    } == IMMEDIATES


def test_conversions_say_what_they_do() -> None:
    conversions = [item for item in INSTRUCTIONS if item.kind is InstructionKind.CONVERT]
    assert len(conversions) == 34
    for item in conversions:
        target, _, source = item.mnemonic.partition(".from_")
        assert (item.pops, item.pushes) == ((Prim(source),), (Prim(target),))


def test_every_row_is_documented() -> None:
    for item in INSTRUCTIONS:
        assert item.doc
        assert not item.doc.endswith(".")
        assert all(isinstance(slot, (Prim, Slot)) for slot in (*item.pops, *item.pushes))


def test_the_interpreter_has_exactly_the_table() -> None:
    assert set(engine._SEMANTICS) == set(BY_MNEMONIC)
    assert all(callable(step) for step in engine._SEMANTICS.values())


@pytest.mark.parametrize(("mnemonic", "immediate"), [("dup", 1), ("arg.get", None), ("i32.push", None)])
def test_an_instruction_has_the_immediate_of_its_row(mnemonic: str, immediate: int | None) -> None:
    with pytest.raises(ValueError, match=mnemonic):
        Instruction(BY_MNEMONIC[mnemonic], immediate)


def test_instructions_print_as_the_text_has_them() -> None:
    assert str(Instruction(BY_MNEMONIC["dup"])) == "dup"
    assert str(Instruction(BY_MNEMONIC["i64.push"], -5)) == "i64.push -5"
    assert str(Instruction(BY_MNEMONIC["array.lift_memory"], Prim.BYTE_ARRAY)) == "array.lift_memory array (u8)"
    assert repr(BY_MNEMONIC["dup"]) == "<dup>"


def columns(kind: InstructionKind, pops: Effect, pushes: Effect, **others: Any) -> Operator:
    return Operator("test", 0x7F, kind, others.pop("immediate", Immediate.NONE), pops, pushes, "a test", **others)


A, B = Slot.ANY_A, Slot.ANY_B
DROP = columns(InstructionKind.RENAME, (A,), ())
THRICE = columns(InstructionKind.RENAME, (A,), (A, A, A))
UNDER = columns(InstructionKind.RENAME, (A, B), (B, A, B))


@pytest.mark.parametrize(
    ("operator", "before", "after"),
    [(DROP, [1, 2], [1]), (THRICE, [1, 2], [1, 2, 2, 2]), (UNDER, [1, 2], [2, 1, 2])],
    ids=["drop", "thrice", "under"],
)
def test_renaming_follows_the_effect(operator: Operator, before: list[int], after: list[int]) -> None:
    """An instruction with the operands of `dup` or `swap2` is not taken for one."""
    stack = list(before)
    engine.semantics(operator)(cast("Any", None), None, stack, ())
    assert stack == after
    pushes = [Instruction(BY_MNEMONIC["i32.push"], number) for number in before]
    ir = typed([*pushes, Instruction(operator)], len(after))
    numbers = {item.results[0]: item.value for item in ir.operations if isinstance(item, Constant)}
    assert [numbers[value] for value in ir.returns] == after


def typed(instructions: list[Instruction], results: int) -> AdapterIR:
    types = (FunctionType(), FunctionType((), (Prim.I32,) * results))
    exports = (Export("f", 0),)
    adapters = (Adapter(1, tuple(instructions)),)
    interfaces = Interfaces("0.20.0", types, (), adapters, exports, (Implementation(0, 1),))
    return build_module("m", interfaces).exports["f"]


@pytest.mark.parametrize("kind", InstructionKind)
def test_the_shape_of_dup_is_a_renaming_and_nothing_else(kind: InstructionKind) -> None:
    if kind is InstructionKind.RENAME:
        assert columns(kind, (A,), (A, A)).kind is kind
        return
    with pytest.raises(ValueError, match=f"the columns of `test` do not suit an instruction of kind {kind.value}"):
        columns(kind, (A,), (A, A))


@pytest.mark.parametrize(
    ("kind", "pops", "pushes", "others"),
    [
        (InstructionKind.RENAME, (A,), (B,), {}),
        (InstructionKind.RENAME, (A, A), (A,), {}),
        (InstructionKind.RENAME, (), (Slot.ARGUMENT,), {}),
        (InstructionKind.RENAME, (Prim.I32,), (Prim.I32,), {}),
        (InstructionKind.CONSTANT, (), (Prim.I64,), {"immediate": Immediate.I32}),
        (InstructionKind.CONVERT, (Prim.S8,), (Prim.I32, Prim.I32), {}),
        (InstructionKind.CALL, (Slot.PARAMS,), (Slot.RESULTS,), {}),
        (InstructionKind.LIFT, (Prim.I32, Prim.I32), (Prim.STRING,), {}),
        (InstructionKind.LIFT, (Prim.I32, Prim.I32), (Slot.ARRAY,), {"moves": Slot.ARRAY}),
        (InstructionKind.SIZE, (Prim.STRING,), (Prim.I32,), {"moves": Prim.STRING, "immediate": Immediate.TYPE}),
    ],
)
def test_columns_that_do_not_suit_the_kind_are_refused(
    kind: InstructionKind, pops: Effect, pushes: Effect, others: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="do not suit"):
        columns(kind, pops, pushes, **others)


def test_what_the_interpreter_can_not_run_is_refused() -> None:
    sized = columns(InstructionKind.SIZE, (Slot.ARRAY,), (Prim.I32,), moves=Slot.ARRAY, immediate=Immediate.TYPE)
    with pytest.raises(NotImplementedError, match="`test`"):
        engine.semantics(sized)

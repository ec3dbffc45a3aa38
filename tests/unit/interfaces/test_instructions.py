"""The instruction table against spec interface-types §3.6 and §5.3, and what must agree with it."""

from __future__ import annotations

import pytest

from marine_gen.interfaces import BY_MNEMONIC, BY_OPCODE, INSTRUCTIONS, Immediate, Instruction
from marine_gen.interfaces.instructions import Slot
from marine_gen.interpreter import engine
from marine_runtime.types import Prim

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
    conversions = [item for item in INSTRUCTIONS if item.is_conversion]
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

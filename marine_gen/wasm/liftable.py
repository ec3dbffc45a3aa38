"""The instructions that lifted code may have, as text: integers, one memory, control, globals, one call or another.

Floating-point numbers, references and instructions after the first edition of Wasm are left out but for copies and sign
extension: functions that allocate, release and hand over results need none of them. An operand that names an item is
`@M` for the memory; others are added by who reads them.
"""

from __future__ import annotations


def _numbered(text: str) -> dict[int, str]:
    """Instructions by opcode: each line is the first opcode and the names of those that follow from there."""
    return {
        int(first, 16) + place: name
        for first, *names in (line.split() for line in text.strip().splitlines())
        for place, name in enumerate(names)
    }


SIMPLE = _numbered(
    """
    00 unreachable nop
    1a drop select
    45 i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u
    50 i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u
    67 i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u
    71 i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr
    79 i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u
    83 i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr
    a7 i32.wrap_i64
    ac i64.extend_i32_s i64.extend_i32_u
    c0 i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s
    """
)
"""Instructions without immediates."""

ACCESS = _numbered(
    """
    28 i32.load i64.load
    2c i32.load8_s i32.load8_u i32.load16_s i32.load16_u
    30 i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u
    36 i32.store i64.store
    3a i32.store8 i32.store16 i64.store8 i64.store16 i64.store32
    """
)
SIZE = {0x3F: "memory.size @M", 0x40: "memory.grow @M"}
LOCAL = _numbered("20 local.get local.set local.tee")
GLOBAL_ACCESS = _numbered("23 global.get global.set")
OPENING = _numbered("02 block loop if")
ELSE, BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = 0x05, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11
I32, I64 = 0x41, 0x42
BULK, COPY, FILL = 0xFC, 10, 11

TYPES = {0x7F: "i32", 0x7E: "i64"}
"""Types of values by their byte."""

NO_RESULT = 0x40
"""The block type without a result."""

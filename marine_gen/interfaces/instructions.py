"""The one table of adapter instructions (spec interface-types §3.6, §5.3).

Mnemonic, opcode, immediate, stack effect and a line of documentation are declared here once. The codecs, the grammar's
terminals, the stack typing, the interpreter and the reference page are derived from this table or checked against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from marine_runtime.types import INTEGER_RANGES, Prim


class Immediate(Enum):
    """What follows the mnemonic or opcode."""

    NONE = ""
    ARGUMENT = "argument index"
    CALLEE = "call-core index"
    RECORD = "type index"
    TYPE = "type"
    I32 = "i32"
    I64 = "i64"


class Slot(Enum):
    """A stack slot whose type depends on the immediate or on what is on the stack."""

    ARGUMENT = "t"  # the type of the parameter that the immediate selects
    PARAMS = "params…"  # the callee's parameters
    RESULTS = "results…"  # the callee's results
    ANY_A = "a"
    ANY_B = "b"
    BYTES = "bytes"  # a byte array, under either spelling
    ARRAY = "array(t)"  # an array whose elements have the type that the immediate gives
    RECORD = "record"  # the record that the immediate selects


Effect = tuple[Prim | Slot, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: an instruction without the value of its immediate.

    Attributes:
        pops: operand types, deepest first.
        pushes: result types, deepest first.
    """

    mnemonic: str
    opcode: int
    immediate: Immediate
    pops: Effect
    pushes: Effect
    doc: str

    def __repr__(self) -> str:
        return f"<{self.mnemonic}>"

    @property
    def is_conversion(self) -> bool:
        """Whether this is one of the `x.from_y` instructions."""
        return ".from_" in self.mnemonic


_PTR_LEN: Effect = (Prim.I32, Prim.I32)
_NONE = Immediate.NONE

_STACK = [
    Operator("arg.get", 0x00, Immediate.ARGUMENT, (), (Slot.ARGUMENT,), "push a copy of an adapter parameter"),
    Operator(
        "call-core",
        0x01,
        Immediate.CALLEE,
        (Slot.PARAMS,),
        (Slot.RESULTS,),
        "call a core export, or an imported function of another module",
    ),
    Operator("dup", 0x34, _NONE, (Slot.ANY_A,), (Slot.ANY_A, Slot.ANY_A), "duplicate the top of the stack"),
    Operator("swap2", 0x35, _NONE, (Slot.ANY_A, Slot.ANY_B), (Slot.ANY_B, Slot.ANY_A), "exchange the two top values"),
    Operator("i32.push", 0x40, Immediate.I32, (), (Prim.I32,), "push a constant"),
    Operator("i64.push", 0x41, Immediate.I64, (), (Prim.I64,), "push a constant"),
]

_MEMORY = [
    Operator("string.lift_memory", 0x22, _NONE, _PTR_LEN, (Prim.STRING,), "read UTF-8 from memory"),
    Operator(
        "string.lower_memory", 0x23, _NONE, (Prim.I32, Prim.STRING), _PTR_LEN, "write UTF-8 to an allocated block"
    ),
    Operator("string.size", 0x24, _NONE, (Prim.STRING,), (Prim.I32,), "length of the UTF-8 form, in bytes"),
    Operator("array.lift_memory", 0x37, Immediate.TYPE, _PTR_LEN, (Slot.ARRAY,), "read an array from memory"),
    Operator("array.lower_memory", 0x38, Immediate.TYPE, (Slot.ARRAY,), _PTR_LEN, "allocate and write an array"),
    Operator("record.lift_memory", 0x3A, Immediate.RECORD, (Prim.I32,), (Slot.RECORD,), "read a record from memory"),
    Operator("record.lower_memory", 0x3B, Immediate.RECORD, (Slot.RECORD,), (Prim.I32,), "allocate and write a record"),
    Operator("byte_array.lift_memory", 0x43, _NONE, _PTR_LEN, (Prim.BYTE_ARRAY,), "read bytes from memory"),
    Operator(
        "byte_array.lower_memory", 0x44, _NONE, (Prim.I32, Slot.BYTES), _PTR_LEN, "write bytes to an allocated block"
    ),
    Operator("byte_array.size", 0x45, _NONE, (Slot.BYTES,), (Prim.I32,), "length in bytes"),
]


def _conversions() -> Iterator[Operator]:
    """The 34 `x.from_y` rows; opcodes run in blocks, first to the interface side, then to the core side."""
    core = (Prim.I32, Prim.I64)
    signed = (Prim.S8, Prim.S16, Prim.S32, Prim.S64)
    unsigned = (Prim.U8, Prim.U16, Prim.U32, Prim.U64)
    rows = [(to, source) for to in signed for source in core]
    rows += [(to, source) for to in core for source in signed]
    rows += [(to, source) for to in unsigned for source in core]
    rows += [(to, source) for to in core for source in unsigned]
    for opcode, (to, source) in enumerate(rows, start=0x02):
        wraps = {to, source} in ({Prim.U32, Prim.I32}, {Prim.U64, Prim.I64})
        low, high = INTEGER_RANGES[source]
        target_low, target_high = INTEGER_RANGES[to]
        if wraps:
            doc = "reinterpret the bits"
        elif target_low <= low and high <= target_high:
            doc = "widen; cannot fail"
        else:
            doc = f"convert; fails outside the range of {to}"
        yield Operator(f"{to}.from_{source}", opcode, _NONE, (source,), (to,), doc)
    yield Operator("bool.from_i32", 0x3E, _NONE, (Prim.I32,), (Prim.BOOLEAN,), "true for any non-zero value")
    yield Operator("i32.from_bool", 0x3F, _NONE, (Prim.BOOLEAN,), (Prim.I32,), "1 or 0")


INSTRUCTIONS: tuple[Operator, ...] = tuple(
    sorted([*_STACK, *_MEMORY, *_conversions()], key=lambda operator: operator.opcode)
)
"""All 50 instructions in opcode order."""

BY_OPCODE: Mapping[int, Operator] = {operator.opcode: operator for operator in INSTRUCTIONS}
BY_MNEMONIC: Mapping[str, Operator] = {operator.mnemonic: operator for operator in INSTRUCTIONS}

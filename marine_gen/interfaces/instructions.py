"""The one table of adapter instructions (docs/spec/instructions.md).

Mnemonic, opcode, kind, immediate, stack effect and a line of documentation are declared here once. The codecs, the
grammar's terminals, the stack typing, the interpreter and the reference page are derived from this table or checked
against it. The meaning of an instruction is in its kind and its columns, never by its name or by the shape of its
effect; a row whose columns do not suit its kind is refused when this file is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, assert_never

from marine_gen.interfaces.conversions import conversion
from marine_runtime.types import Prim


class InstructionKind(Enum):
    """The effect of an instruction. Every stage dispatches on it."""

    RENAME = "rename"  # moves values about on the stack, or copies them
    CONSTANT = "constant"  # pushes its immediate
    CONVERT = "convert"  # from one flat type to another
    SIZE = "size"  # bytes that a value takes in memory
    LIFT = "lift"  # from memory to a value
    STORE = "store"  # from a value to a block that is there already
    LOWER = "lower"  # from a value to a block that it allocates
    CALL = "call"  # a core export or a function of another module


class Immediate(Enum):
    """The immediates behind the mnemonic or opcode."""

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

Moved = Literal[Prim.STRING, Prim.BYTE_ARRAY, Slot.ARRAY, Slot.RECORD]
"""The type that a memory instruction moves: one of these, or one that its immediate selects."""


_SELECTED_BY: Mapping[Prim | Slot, Immediate] = {Slot.ARRAY: Immediate.TYPE, Slot.RECORD: Immediate.RECORD}
"""The immediate of instructions that move what it selects."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: an instruction without the value of its immediate.

    Attributes:
        pops: operand types, deepest first.
        pushes: result types, deepest first.
        moves: the type that an instruction moves into or out of memory, or measures; None for all others.
    """

    mnemonic: str
    opcode: int
    kind: InstructionKind
    immediate: Immediate
    pops: Effect
    pushes: Effect
    doc: str
    moves: Moved | None = None

    def __post_init__(self) -> None:
        if not _suits(self):
            raise ValueError(f"the columns of `{self.mnemonic}` do not suit an instruction of kind {self.kind.value}")

    def __repr__(self) -> str:
        return f"<{self.mnemonic}>"


def _suits(row: Operator) -> bool:
    """True if the columns of `row` are those that stages expect of its kind."""
    kind = row.kind
    match kind:
        case InstructionKind.RENAME:
            known = {*row.pops, *([Slot.ARGUMENT] if row.immediate is Immediate.ARGUMENT else [])}
            names = {*row.pops, *row.pushes} <= {Slot.ARGUMENT, Slot.ANY_A, Slot.ANY_B}
            return row.moves is None and names and set(row.pushes) <= known and len(set(row.pops)) == len(row.pops)
        case InstructionKind.CONSTANT:
            pushed = {Immediate.I32: (Prim.I32,), Immediate.I64: (Prim.I64,)}.get(row.immediate)
            return row.moves is None and not row.pops and row.pushes == pushed
        case InstructionKind.CONVERT:
            types = (*row.pops, *row.pushes)
            return row.moves is None and len(row.pops) == len(row.pushes) == 1 and Slot not in map(type, types)
        case InstructionKind.CALL:
            return row.immediate is Immediate.CALLEE and row.moves is None
        case InstructionKind.SIZE | InstructionKind.LIFT | InstructionKind.STORE | InstructionKind.LOWER:
            return row.moves is not None and row.immediate is _SELECTED_BY.get(row.moves, Immediate.NONE)
        case _:
            assert_never(kind)


_PTR_LEN: Effect = (Prim.I32, Prim.I32)
_NONE = Immediate.NONE

_RENAME, _CONSTANT, _CALL = InstructionKind.RENAME, InstructionKind.CONSTANT, InstructionKind.CALL
_SIZE, _LIFT = InstructionKind.SIZE, InstructionKind.LIFT
_STORE, _LOWER = InstructionKind.STORE, InstructionKind.LOWER

_STACK = [
    Operator("arg.get", 0x00, _RENAME, Immediate.ARGUMENT, (), (Slot.ARGUMENT,), "push a copy of an adapter parameter"),
    Operator(
        "call-core",
        0x01,
        _CALL,
        Immediate.CALLEE,
        (Slot.PARAMS,),
        (Slot.RESULTS,),
        "call a core export, or an imported function of another module",
    ),
    Operator("dup", 0x34, _RENAME, _NONE, (Slot.ANY_A,), (Slot.ANY_A, Slot.ANY_A), "duplicate the top of the stack"),
    Operator(
        "swap2", 0x35, _RENAME, _NONE, (Slot.ANY_A, Slot.ANY_B), (Slot.ANY_B, Slot.ANY_A), "exchange the two top values"
    ),
    Operator("i32.push", 0x40, _CONSTANT, Immediate.I32, (), (Prim.I32,), "push a constant"),
    Operator("i64.push", 0x41, _CONSTANT, Immediate.I64, (), (Prim.I64,), "push a constant"),
]


def _memory(
    mnemonic: str, opcode: int, kind: InstructionKind, moves: Moved, pops: Effect, pushes: Effect, doc: str
) -> Operator:
    """A memory instruction; its immediate follows from what it moves."""
    immediate = _SELECTED_BY.get(moves, _NONE)
    return Operator(mnemonic, opcode, kind, immediate, pops, pushes, doc, moves)


_PTR: Effect = (Prim.I32,)
_STRING: Final = Prim.STRING
_BYTES: Final = Prim.BYTE_ARRAY
_ARRAY: Final = Slot.ARRAY
_RECORD: Final = Slot.RECORD

_MEMORY = [
    _memory("string.lift_memory", 0x22, _LIFT, _STRING, _PTR_LEN, (_STRING,), "read UTF-8 from memory"),
    _memory(
        "string.lower_memory", 0x23, _STORE, _STRING, (*_PTR, _STRING), _PTR_LEN, "write UTF-8 to an allocated block"
    ),
    _memory("string.size", 0x24, _SIZE, _STRING, (_STRING,), (Prim.I32,), "length of the UTF-8 form, in bytes"),
    _memory("array.lift_memory", 0x37, _LIFT, _ARRAY, _PTR_LEN, (_ARRAY,), "read an array from memory"),
    _memory("array.lower_memory", 0x38, _LOWER, _ARRAY, (_ARRAY,), _PTR_LEN, "allocate and write an array"),
    _memory("record.lift_memory", 0x3A, _LIFT, _RECORD, _PTR, (_RECORD,), "read a record from memory"),
    _memory("record.lower_memory", 0x3B, _LOWER, _RECORD, (_RECORD,), _PTR, "allocate and write a record"),
    _memory("byte_array.lift_memory", 0x43, _LIFT, _BYTES, _PTR_LEN, (_BYTES,), "read bytes from memory"),
    _memory(
        "byte_array.lower_memory",
        0x44,
        _STORE,
        _BYTES,
        (*_PTR, Slot.BYTES),
        _PTR_LEN,
        "write bytes to an allocated block",
    ),
    _memory("byte_array.size", 0x45, _SIZE, _BYTES, (Slot.BYTES,), (Prim.I32,), "length in bytes"),
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
    numbered = [*enumerate(rows, start=0x02), (0x3E, (Prim.BOOLEAN, Prim.I32)), (0x3F, (Prim.I32, Prim.BOOLEAN))]
    for opcode, (to, source) in numbered:
        doc = conversion(source, to).value.format(target=to)
        yield Operator(f"{to}.from_{source}", opcode, InstructionKind.CONVERT, _NONE, (source,), (to,), doc)


INSTRUCTIONS: tuple[Operator, ...] = tuple(
    sorted([*_STACK, *_MEMORY, *_conversions()], key=lambda operator: operator.opcode)
)
"""All 50 instructions in opcode order."""

BY_OPCODE: Mapping[int, Operator] = {operator.opcode: operator for operator in INSTRUCTIONS}
BY_MNEMONIC: Mapping[str, Operator] = {operator.mnemonic: operator for operator in INSTRUCTIONS}

"""Interfaces: the parsed form of an `interface-types` section, common to text and binary.

`model` holds the data, `instructions` the one table of adapter instructions. Nothing here reads or writes a format:
see `marine_gen.binary` and `marine_gen.text`. The index spaces are resolved in `marine_gen.ir`.
"""

from marine_gen.interfaces.instructions import (
    BY_MNEMONIC,
    BY_OPCODE,
    INSTRUCTIONS,
    Immediate,
    InstructionKind,
    Operator,
)
from marine_gen.interfaces.model import (
    Adapter,
    Export,
    Implementation,
    Import,
    Instruction,
    Interfaces,
)

__all__ = [
    "BY_MNEMONIC",
    "BY_OPCODE",
    "INSTRUCTIONS",
    "Adapter",
    "Export",
    "Immediate",
    "Implementation",
    "Import",
    "Instruction",
    "InstructionKind",
    "Interfaces",
    "Operator",
]

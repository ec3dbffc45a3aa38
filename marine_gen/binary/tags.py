"""The bytes that announce sections, kinds and types. Opcodes are in the instruction table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from marine_runtime.types import Prim


class SectionId(IntEnum):
    """The first byte of a section."""

    TYPES = 0
    IMPORTS = 1
    ADAPTERS = 2
    EXPORTS = 3
    IMPLEMENTATIONS = 4
    VERSION = 5


SECTION_TITLES: Mapping[SectionId, str] = {
    SectionId.TYPES: "type",
    SectionId.IMPORTS: "import",
    SectionId.ADAPTERS: "adapter",
    SectionId.EXPORTS: "export",
    SectionId.IMPLEMENTATIONS: "implementation",
    SectionId.VERSION: "version",
}


class SectionKind(IntEnum):
    """The first byte of an entry in the type section."""

    FUNCTION = 0
    RECORD = 1


RECORD_TAG = 0x0E
ARRAY_TAG = 0x36

PRIM_BY_TAG: Mapping[int, Prim] = {
    0x00: Prim.S8,
    0x01: Prim.S16,
    0x02: Prim.S32,
    0x03: Prim.S64,
    0x04: Prim.U8,
    0x05: Prim.U16,
    0x06: Prim.U32,
    0x07: Prim.U64,
    0x08: Prim.F32,
    0x09: Prim.F64,
    0x0A: Prim.STRING,
    0x0B: Prim.BOOLEAN,
    0x0C: Prim.I32,
    0x0D: Prim.I64,
    0x3C: Prim.BYTE_ARRAY,
}
TAG_BY_PRIM: Mapping[Prim, int] = {prim: tag for tag, prim in PRIM_BY_TAG.items()}

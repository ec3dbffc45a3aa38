"""Pieces of a Wasm binary that is written again with other contents of some sections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from marine_gen.diagnostics import Code
from marine_gen.wasm.reader import Reader, write_u32
from marine_gen.wasm.sections import SECTION_NAMES, Section, WasmModule

_ORDER = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
"""Section ids as they follow each other in a file: those of tags and of the data count came later."""


def section_reader(wasm: bytes, section: Section) -> Reader:
    """A reader of the content of a section."""
    within = f"the {SECTION_NAMES[section.id]} section"
    return Reader(wasm, section.payload_start, section.end, within, Code.WASM_MALFORMED)


def spellings(index: int) -> bytes:
    """A pattern of all ways to write an index, which may be longer than it has to be."""
    *first, last = write_u32(index)
    padded = re.escape(bytes([last | 0x80])) + rb"\x80*\x00"
    return re.escape(bytes(first)) + rb"(?:" + re.escape(bytes([last])) + rb"|" + padded + rb")"


def export_entry(name: str, kind: int, index: int) -> bytes:
    """An export of the item `index` of a kind: 0 for functions, 1 for tables."""
    return write_u32(len(name)) + name.encode() + bytes([kind]) + write_u32(index)


def appended(wasm: bytes, section: Section | None, entries: Sequence[bytes]) -> bytes:
    """The content of a section that is a vector, with more entries."""
    if section is None:
        return write_u32(len(entries)) + b"".join(entries)
    reader = section_reader(wasm, section)
    count = reader.u32("a number of entries")
    return write_u32(count + len(entries)) + wasm[reader.position : section.end] + b"".join(entries)


def assembled(module: WasmModule, contents: Mapping[int, bytes]) -> bytes:
    """`module` with other contents of some sections; a section without content goes, a new one takes its place."""
    wasm = module.data
    parts, missing = [wasm[:8]], dict(contents)
    for section in module.sections:
        place = _ORDER.index(section.id) if section.id else -1
        for number in [item for item in missing if _ORDER.index(item) <= place]:
            content = missing.pop(number)
            if content:
                parts.append(bytes([number]) + write_u32(len(content)) + content)
        if section.id not in contents:
            parts.append(wasm[section.start : section.end])
    return b"".join(parts)

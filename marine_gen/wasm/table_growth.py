"""Guards around `table.grow`, so that a memory limit can refuse the growth of tables.

Wasmtime's C API says nothing about tables that grow, and tables of guests are hardly ever exported. So every
`table.grow` becomes a call of a guard, a function that is added behind all others, so that no index moves:

    (func (param $value REF) (param $n i32) (result i32)
      (if (i32.gt_u $n (i32.sub MAXIMUM (table.size T))) (then (return -1)))   ;; it would fail anyway
      (if (i32.eqz (call_indirect $hook (i64.extend_i32_u $n) 0)) (then (return -1)))
      (table.grow T $value $n))

`$hook` is a table that is added as well, exported under `TABLE_HOOK`, with one place, where the runtime puts what asks
the budget. It can do so only when the instance exists, so a start function is exported under `START_HOOK` instead, and
the runtime calls it then. Modules without `table.grow` stay as they are, which is nearly all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marine_gen.wasm.coretypes import read_types
from marine_gen.wasm.immediates import END, next_instruction, skip_value_type
from marine_gen.wasm.reader import Reader, write_u32
from marine_gen.wasm.rewriting import appended, assembled, export_entry, section_reader
from marine_gen.wasm.sections import Binary, Section, WasmModule, scanned
from marine_runtime.wasm import START_HOOK, TABLE_HOOK

_TYPE, _IMPORT, _FUNCTION, _TABLE, _EXPORT, _START, _CODE = 1, 2, 3, 4, 7, 8, 10

_GROW = (0xFC, 15)
_MAYBE_GROW = re.compile(rb"\xfc(?:\x0f|\x8f\x80{0,3}\x00)")  # the number may be written longer than it has to be
_WITH_INITIALISER = 0x40
_HAS_MAXIMUM, _IS_64_BIT = 0x01, 0x04
_HOOK_TYPE = bytes.fromhex("60 017e 017f")  # (i64) -> (i32)
_HOOK_TABLE = bytes.fromhex("70 010001")  # at least 0, at most 1 funcref


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its element type as bytes, its maximum, and whether its indices are i64."""

    element: bytes
    maximum: int
    wide: bool


def charge_table_growth(binary: Binary) -> bytes:
    """`binary` with a guard around every `table.grow`; the same bytes when there is none.

    A module that imports anything but functions stays as it is too: it can't be linked.

    Raises:
        DiagnosticError: a module that may contain `table.grow` is malformed.
    """
    wasm = binary.data if isinstance(binary, WasmModule) else binary
    if not _MAYBE_GROW.search(wasm):
        return wasm
    module = scanned(binary)
    sections = {item.id: item for item in module.sections if item.id}
    imported = _imported_functions(wasm, sections)
    if imported is None or not {_TYPE, _FUNCTION, _TABLE, _CODE} <= sections.keys():
        return wasm
    first = imported + section_reader(wasm, sections[_FUNCTION]).u32("the number of functions")
    guards: dict[int, int] = {}  # index of the guard by table
    bodies = _guarded_bodies(wasm, sections[_CODE], guards, first)
    if not guards:
        return wasm
    tables = read_tables(wasm, sections[_TABLE])
    types = len(read_types(section_reader(wasm, sections[_TYPE])))
    hook = write_u32(types) + write_u32(len(tables))
    new_types, new_functions = [_HOOK_TYPE], []
    for position, index in enumerate(guards, 1):
        if index >= len(tables):
            section_reader(wasm, sections[_TABLE]).fail(f"there is no table {index}: the module has {len(tables)}")
        table = tables[index]
        number = b"\x7e" if table.wide else b"\x7f"
        new_types.append(b"\x60\x02" + table.element + number + b"\x01" + number)
        new_functions.append(write_u32(types + position))
        bodies.append(_guard(index, table, hook))
    exports = [export_entry(TABLE_HOOK, 1, len(tables))]
    if _START in sections:
        exports.append(export_entry(START_HOOK, 0, section_reader(wasm, sections[_START]).u32("the start function")))
    return assembled(
        module,
        {
            _TYPE: appended(wasm, sections[_TYPE], new_types),
            _FUNCTION: appended(wasm, sections[_FUNCTION], new_functions),
            _TABLE: appended(wasm, sections[_TABLE], [_HOOK_TABLE]),
            _EXPORT: appended(wasm, sections.get(_EXPORT), exports),
            _START: b"",
            _CODE: write_u32(len(bodies)) + b"".join(write_u32(len(body)) + body for body in bodies),
        },
    )


def _imported_functions(wasm: bytes, sections: Mapping[int, Section]) -> int | None:
    """The number of imported functions; None when something else is imported."""
    if _IMPORT not in sections:
        return 0
    reader = section_reader(wasm, sections[_IMPORT])
    count = reader.u32("the number of imports")
    for _ in range(count):
        reader.name("the namespace of an import")
        reader.name("the name of an import")
        if reader.byte("the kind of an import"):
            return None
        reader.u32("a type index")
    return count


def _guarded_bodies(wasm: bytes, section: Section, guards: dict[int, int], first: int) -> list[bytes]:
    """All function bodies; a table that grows gets the next free number in `guards`, from `first` on."""
    reader = section_reader(wasm, section)
    bodies = []
    for _ in range(reader.u32("the number of bodies")):
        size = reader.u32("the size of a body")
        start = reader.position
        body = reader.take(size, "a body")
        if _MAYBE_GROW.search(body):
            inner = Reader(wasm, start, start + size, reader.within, reader.code)
            body = _guarded(inner, guards, first)
        bodies.append(body)
    return bodies


def _guarded(reader: Reader, guards: dict[int, int], first: int) -> bytes:
    """One body, with calls instead of `table.grow`."""
    parts: list[bytes] = []
    copied = reader.position
    for _ in range(reader.u32("the number of groups of locals")):
        reader.u32("a number of locals")
        skip_value_type(reader)
    while not reader.exhausted:
        start = reader.position
        if next_instruction(reader) != _GROW:
            continue
        end, reader.position = reader.position, start + 1
        reader.u32("an instruction behind a prefix")
        table = reader.u32("a table index")
        assert reader.position == end
        guard = guards.setdefault(table, first + len(guards))
        parts += [reader.data[copied:start], b"\x10", write_u32(guard)]
        copied = end
    return b"".join([*parts, reader.data[copied : reader.end]])


def read_tables(wasm: bytes, section: Section) -> Sequence[Table]:
    """The tables of a module, which imports none."""
    reader = section_reader(wasm, section)
    found = []
    for _ in range(reader.u32("the number of tables")):
        initialised = not reader.exhausted and wasm[reader.position] == _WITH_INITIALISER
        if initialised:
            reader.take(2, "the form of a table")
        start = reader.position
        skip_value_type(reader)
        element = wasm[start : reader.position]
        flags = reader.byte("the flags of a limit")
        wide = bool(flags & _IS_64_BIT)
        reader.u64("a minimum size")
        unlimited = 2**64 - 1 if wide else 2**32 - 1
        maximum = reader.u64("a maximum size") if flags & _HAS_MAXIMUM else unlimited
        while initialised and next_instruction(reader)[0] != END:
            pass
        found.append(Table(element, maximum, wide))
    return found


def _guard(index: int, table: Table, hook: bytes) -> bytes:
    """The body of a guard; see the text of this file."""
    place = write_u32(index)
    if table.wide:
        const, subtract, greater, extend, bits = b"\x42", b"\x7d", b"\x56", b"", 64
    else:
        const, subtract, greater, extend, bits = b"\x41", b"\x6b", b"\x4b", b"\xad", 32
    refuse = b"\x04\x40" + const + b"\x7f\x0f\x0b"  # if: return -1
    count = b"\x20\x01"
    room = const + _signed(table.maximum, bits) + b"\xfc\x10" + place + subtract
    return b"".join(
        [
            b"\x00",  # no locals
            *(count, room, greater, refuse),
            *(count, extend, b"\x41\x00", b"\x11", hook, b"\x45", refuse),
            *(b"\x20\x00", count, b"\xfc\x0f", place, bytes([END])),
        ]
    )


def _signed(value: int, bits: int) -> bytes:
    """`value`, unsigned with so many bits, as a signed LEB128 number."""
    value -= (value >> (bits - 1)) << bits
    encoded = bytearray()
    while not -64 <= value < 64:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)

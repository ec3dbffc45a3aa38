"""The initial number of elements in the tables of a Wasm module, and the hooks that count elements added later.

Wasmtime's C API tells of exported tables only, and those of guests hardly ever are. Only valid modules come here:
Wasmtime has compiled them.
"""

from __future__ import annotations

TABLE_HOOK, START_HOOK = "marine-gen:table growth", "marine-gen:start"
"""Exports that the compiler adds to modules whose tables grow; `marine_gen/wasm/table_growth.py` says how they work."""

LIFTED = "marine-gen:lifted "
"""The prefix of exports that the compiler adds for code that glue has in place of a call; see
`marine_gen/wasm/lifting.py`. They are not listed."""

_SECTION = 4
_WITH_INITIALISER = 0x40
_TYPED_REFERENCES = (0x63, 0x64)
_END = 0x0B


def initial_table_elements(wasm: bytes) -> int:
    """The initial sizes of all tables that the module defines, added up."""
    at = 8
    while at < len(wasm):
        kind = wasm[at]
        size, at = _number(wasm, at + 1)
        if kind == _SECTION:
            return _elements(wasm, at)
        at += size
    return 0


def _elements(wasm: bytes, at: int) -> int:
    count, at = _number(wasm, at)
    total = 0
    for _ in range(count):
        initialised = wasm[at] == _WITH_INITIALISER
        at += 2 if initialised else 0
        at = _number(wasm, at + 1)[1] if wasm[at] in _TYPED_REFERENCES else at + 1
        has_maximum = wasm[at] & 1
        size, at = _number(wasm, at + 1)
        total += size
        if has_maximum:
            _, at = _number(wasm, at)
        while initialised and wasm[at] != _END:  # instructions with one immediate: ref.null, ref.func, global.get
            _, at = _number(wasm, at + 1)
        at += initialised
    return total


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

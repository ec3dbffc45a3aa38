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


def initial_table_elements(wasm: bytes) -> int:
    """The initial sizes of all tables that the module defines, added up."""
    from marine_runtime.wasm.binary import sections

    for kind, cursor in sections(wasm):
        if kind == _SECTION:
            return sum([cursor.table()[1] for _ in range(cursor.number())])
    return 0

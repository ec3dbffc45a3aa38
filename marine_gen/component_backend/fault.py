"""The end of a failed call: a trap, after an optional report to an import.

After a trap an instance of a component can't be entered again, so nothing can be asked afterwards.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from marine_gen.codegen.literals import wat_string
from marine_gen.codegen.templating import render
from marine_gen.component_backend.interface import WitInterface, interface_of
from marine_gen.wasm_backend import SiteRow
from marine_runtime.adapters import DATA, FAULT_VALUES, ORDINAL_SHIFT, STACK, STACK_TOP, Fault
from marine_runtime.types import Array, Field, FunctionType, Prim

TRAP = '(module $fault (func (export "fault") (param i32 i64 i64 i64) unreachable))'
"""A trap alone."""

_REPORT = FunctionType(
    (Field("kind", Prim.STRING), Field("adapter", Prim.STRING), Field("numbers", Array(Prim.S64))),
)

INTERFACE: WitInterface = interface_of("marine:host/fault", {"report": _REPORT}, {})[0]
"""The import of a component whose host is told about failures."""

_NAMES: dict[int, str] = {kind: kind.name.lower().replace("_", "-") for kind in Fault}


def site_texts(rows: Sequence[SiteRow]) -> tuple[str, ...]:
    """The adapter of each row of a site table, as errors of the runtime name it."""
    found = []
    for trail, _ in rows:
        frame = trail[-1]
        where = f"module `{frame.module}`, {frame.side.value} adapter of `{frame.function}`"
        found.append(f"{where}, instruction #{frame.index} `{frame.text}`")
    return tuple(found)


def reporting(sites: Mapping[int, Sequence[str]]) -> str:
    """The module that tells the import; `sites` are the texts of the site tables by number of the glue."""
    texts = bytearray()
    places: dict[str, tuple[int, int]] = {}

    def place(text: str) -> bytes:
        if text not in places:
            encoded = text.encode()
            places[text] = len(texts), len(encoded)
            texts.extend(encoded)
        return struct.pack("<II", *places[text])

    kinds = b"".join(place(_NAMES.get(kind, "")) for kind in range(max(Fault) + 1))
    rows, tables = b"", b""
    for ordinal in range(max(sites, default=-1) + 1):
        table = sites.get(ordinal, ())
        tables += struct.pack("<II", len(rows) // 8, len(table))
        rows += b"".join(map(place, table))
    context = {
        "texts": wat_string(bytes(texts)),
        "kinds": wat_string(kinds),
        "rows": wat_string(rows),
        "tables": wat_string(tables),
        "count": len(tables) // 8,
        "at": DATA,
        "stack": STACK,
        "top": STACK_TOP,
        "shift": ORDINAL_SHIFT,
        "values": FAULT_VALUES,
    }
    return render("marine_gen.component_backend", "fault.wat.j2", context)

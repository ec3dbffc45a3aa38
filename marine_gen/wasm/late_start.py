"""Start functions that wait for WASI.

A start function runs while its module is instantiated, and the shim that answers the module's WASI calls needs the
memory of the instance. So the start function of a module that imports anything is exported under `START_HOOK` instead,
and the runtime calls it once the instance and its WASI are there.
"""

from __future__ import annotations

from marine_gen.wasm.rewriting import appended, assembled, export_entry, section_reader
from marine_gen.wasm.sections import Binary, scanned
from marine_runtime.wasm import START_HOOK

_IMPORT, _EXPORT, _START = 2, 7, 8


def defer_start(binary: Binary) -> bytes:
    """`binary` with its start function as an export; the same bytes when it has none, or imports nothing.

    Raises:
        DiagnosticError: a module with a start function is malformed.
    """
    module = scanned(binary)
    wasm = module.data
    sections = {item.id: item for item in module.sections if item.id}
    if _START not in sections or _IMPORT not in sections:
        return wasm
    index = section_reader(wasm, sections[_START]).u32("the start function")
    exports = appended(wasm, sections.get(_EXPORT), [export_entry(START_HOOK, 0, index)])
    return assembled(module, {_EXPORT: exports, _START: b""})

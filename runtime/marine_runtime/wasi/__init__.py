"""WASI for each module of a service: its own environment, directories and descriptors (docs/spec/host.md#wasi).

Wasmtime has one WASI context per store, so the directories of all modules are opened there. What keeps them apart is a
*shim* per module: a small Wasm module between the guest and the native functions, which holds the guest's descriptor
table and answers for its environment. `functions` is the table of what exists, `bodies` the Wasm of those functions
that do more than translate descriptors, `writer` makes modules of both, `state` lays out the private memory of a shim,
`output` captures what a guest prints, and `connect` ties it all to a guest.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.wasi.connect import Connection, Wasi
    from marine_runtime.wasi.functions import FUNCTIONS, NAMESPACES
    from marine_runtime.wasi.state import DESCRIPTORS, HEADER, STANDARD, WasiState, image
    from marine_runtime.wasi.writer import shim

__all__ = [
    "DESCRIPTORS",
    "FUNCTIONS",
    "HEADER",
    "NAMESPACES",
    "STANDARD",
    "Connection",
    "Wasi",
    "WasiState",
    "image",
    "shim",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.wasi.connect": ("Connection", "Wasi"),
        "marine_runtime.wasi.functions": ("FUNCTIONS", "NAMESPACES"),
        "marine_runtime.wasi.state": ("DESCRIPTORS", "HEADER", "STANDARD", "WasiState", "image"),
        "marine_runtime.wasi.writer": ("shim",),
    },
)

"""A compiled Wasm module with its imports and exports."""

from __future__ import annotations

from typing import Any

import wasmtime

from marine_runtime.types import CoreSignature
from marine_runtime.wasm.tables import START_HOOK, TABLE_HOOK

ImportKey = tuple[str, str]


class Module:
    """A compiled Wasm module.

    Attributes:
        imports: signature by (namespace, name); None for an import that is not a function.
        exports: signature by name of every exported function.
        memory: name of the first exported memory, or None.
        hooks: exports that the compiler added for tables that grow, see `tables`.
        wide: whether addresses of that memory have 64 bits.
    """

    __slots__ = ("exports", "hooks", "import_order", "imports", "memory", "native", "wide")

    def __init__(self, native: wasmtime.Module) -> None:
        self.native = native
        self.import_order: list[ImportKey] = []
        self.imports: dict[ImportKey, CoreSignature | None] = {}
        for item in native.imports:
            key = (item.module, item.name or "")
            self.import_order.append(key)
            self.imports[key] = _signature(item.type)
        self.exports: dict[str, CoreSignature] = {}
        self.memory: str | None = None
        self.wide = False
        self.hooks: set[str] = set()
        for export in native.exports:
            if _is_hook(export):
                self.hooks.add(export.name)
            elif isinstance(export.type, wasmtime.MemoryType):
                if self.memory is None:
                    self.memory, self.wide = export.name, export.type.is_64
            elif (signature := _signature(export.type)) is not None:
                self.exports[export.name] = signature

    def serialize(self) -> bytes:
        """Machine code that `WasmRuntime.deserialize` of the same version and options accepts."""
        return bytes(self.native.serialize())


def _is_hook(export: wasmtime.ExportType) -> bool:
    """Whether this is a hook by name and type: a guest may have used the name for something else."""
    kind = export.type
    if isinstance(kind, wasmtime.TableType):
        bounds = (kind.limits.min, kind.limits.max)
        return export.name == TABLE_HOOK and str(kind.element) == "funcref" and bounds == (0, 1)
    return export.name == START_HOOK and _signature(kind) == CoreSignature((), ())


def _signature(kind: Any) -> CoreSignature | None:
    if not isinstance(kind, wasmtime.FuncType):
        return None
    return CoreSignature(tuple(map(str, kind.params)), tuple(map(str, kind.results)))

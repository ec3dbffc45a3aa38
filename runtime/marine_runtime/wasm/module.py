"""A compiled Wasm module with its imports and exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import wasmtime

from marine_runtime.types import CoreSignature
from marine_runtime.wasm.tables import LIFTED, START_HOOK, TABLE_HOOK

ImportKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """The imports and exports of a compiled module, as far as the runtime looks at them.

    Attributes:
        import_order: the imports as (namespace, name), in order and with repetitions.
        imports: signature by (namespace, name); None for an import that is not a function.
        exports: signature by name of every exported function, but for those that the compiler added.
        memories: names of all exported memories, in order.
        wide: addresses of the first of them have 64 bits.
        hooks: exports that the compiler added for tables that grow, see `tables`.
    """

    import_order: tuple[ImportKey, ...]
    imports: Mapping[ImportKey, CoreSignature | None]
    exports: Mapping[str, CoreSignature]
    memories: tuple[str, ...]
    wide: bool
    hooks: frozenset[str]

    @classmethod
    def of(cls, native: wasmtime.Module) -> Shape:
        """The shape of a module as Wasmtime tells it, which takes several microseconds for every import and export."""
        order: list[ImportKey] = []
        imports: dict[ImportKey, CoreSignature | None] = {}
        for item in native.imports:
            key = (item.module, item.name or "")
            order.append(key)
            imports[key] = _signature(item.type)
        exports: dict[str, CoreSignature] = {}
        memories: list[str] = []
        wide = False
        hooks: set[str] = set()
        for export in native.exports:
            if export.name.startswith(LIFTED):
                continue
            if _is_hook(export):
                hooks.add(export.name)
            elif isinstance(export.type, wasmtime.MemoryType):
                wide = wide if memories else export.type.is_64
                memories.append(export.name)
            elif (signature := _signature(export.type)) is not None:
                exports[export.name] = signature
        return cls(tuple(order), imports, exports, tuple(memories), wide, frozenset(hooks))

    def to_json(self) -> list[Any]:
        """The shape as a JSON document; signatures are listed once."""
        signatures: dict[CoreSignature, int] = {}

        def number(signature: CoreSignature | None) -> int | None:
            return None if signature is None else signatures.setdefault(signature, len(signatures))

        imports = [[*key, number(self.imports[key])] for key in self.import_order]
        exports = {name: number(signature) for name, signature in self.exports.items()}
        listed = [[list(signature.params), list(signature.results)] for signature in signatures]
        return [listed, imports, exports, list(self.memories), self.wide, sorted(self.hooks)]

    @classmethod
    def from_json(cls, document: Any) -> Shape:
        """The inverse of `to_json`; raises ValueError, TypeError or LookupError for anything else."""
        listed, imports, exports, memories, wide, hooks = document
        signatures = [CoreSignature(tuple(params), tuple(results)) for params, results in listed]
        order = [(namespace, name) for namespace, name, _ in imports]
        numbers = [number for _, _, number in imports]
        return cls(
            tuple(order),
            {key: None if at is None else signatures[at] for key, at in zip(order, numbers, strict=True)},
            {name: signatures[at] for name, at in exports.items()},
            tuple(memories),
            bool(wide),
            frozenset(hooks),
        )


class Module:
    """A compiled Wasm module, with the attributes of its `Shape`; `memory` is the first of the memories, or None."""

    __slots__ = ("exports", "hooks", "import_order", "imports", "memories", "memory", "native", "shape", "wide")

    def __init__(self, native: wasmtime.Module, shape: Shape | None = None) -> None:
        self.native = native
        self.shape = shape = shape or Shape.of(native)
        self.import_order = shape.import_order
        self.imports = shape.imports
        self.exports = shape.exports
        self.memories = shape.memories
        self.memory = shape.memories[0] if shape.memories else None
        self.wide = shape.wide
        self.hooks = shape.hooks

    def serialize(self) -> bytes:
        """Machine code that `WasmRuntime.deserialize` of the same version and options accepts."""
        return bytes(self.native.serialize())


def _is_hook(export: wasmtime.ExportType) -> bool:
    """True if this is a hook by name and type: a guest may have used the name for something else."""
    kind = export.type
    if isinstance(kind, wasmtime.TableType):
        bounds = (kind.limits.min, kind.limits.max)
        return export.name == TABLE_HOOK and str(kind.element) == "funcref" and bounds == (0, 1)
    return export.name == START_HOOK and _signature(kind) == CoreSignature((), ())


def _signature(kind: Any) -> CoreSignature | None:
    if not isinstance(kind, wasmtime.FuncType):
        return None
    return CoreSignature(tuple(map(str, kind.params)), tuple(map(str, kind.results)))

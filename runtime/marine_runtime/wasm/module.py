"""A compiled Wasm module with its imports and exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.typing import Any
from marine_runtime.types import CoreSignature
from marine_runtime.wasm.tables import LIFTED, START_HOOK, TABLE_HOOK

ImportKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class MemoryKind:
    """The type of a memory: whether its addresses have 64 bits."""

    wide: bool


@dataclass(frozen=True, slots=True)
class TableKind:
    """The type of a table: what it holds, and its bounds."""

    element: str
    minimum: int
    maximum: int | None


Described = CoreSignature | MemoryKind | TableKind | None
"""The type of an import or an export; None for one that the runtime does not look at."""

_NO_HOOK = object()
_HOOKS = {TABLE_HOOK: TableKind("funcref", 0, 1), START_HOOK: CoreSignature((), ())}


@dataclass(frozen=True, slots=True)
class Shape:
    """The imports and exports of a compiled module, as far as the runtime uses them.

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
    def of(cls, imports: Iterable[tuple[str, str, Described]], exports: Iterable[tuple[str, Described]]) -> Shape:
        """The shape of a module with these imports (namespace, name, type) and exports (name, type)."""
        order: list[ImportKey] = []
        signatures: dict[ImportKey, CoreSignature | None] = {}
        for namespace, name, kind in imports:
            order.append((namespace, name))
            signatures[namespace, name] = kind if isinstance(kind, CoreSignature) else None
        functions: dict[str, CoreSignature] = {}
        memories: list[str] = []
        wide = False
        hooks: set[str] = set()
        for name, kind in exports:
            if name.startswith(LIFTED):
                continue
            if (
                _HOOKS.get(name, _NO_HOOK) == kind
            ):  # by name and type: a guest may have used the name for something else
                hooks.add(name)
            elif isinstance(kind, MemoryKind):
                wide = wide if memories else kind.wide
                memories.append(name)
            elif isinstance(kind, CoreSignature):
                functions[name] = kind
        return cls(tuple(order), signatures, functions, tuple(memories), wide, frozenset(hooks))

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
            Lazy(dict(exports), partial(_listed, signatures)),
            tuple(memories),
            bool(wide),
            frozenset(hooks),
        )


def _listed(signatures: Sequence[CoreSignature], _: str, at: int) -> CoreSignature:
    return signatures[at]


class Module:
    """A compiled Wasm module, with the attributes of its `Shape`; `memory` is the first of the memories, or None."""

    __slots__ = ("exports", "hooks", "import_order", "imports", "memories", "memory", "native", "shape", "wide")

    def __init__(self, native: Any, shape: Shape) -> None:
        self.native = native
        self.shape = shape
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

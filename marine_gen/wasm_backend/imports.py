"""Memories and functions of the modules that a glue module works with, as symbols of its text."""

from __future__ import annotations

from dataclasses import dataclass, field

from marine_gen.ir.model import CoreCallee, ImportedCallee, ModuleIR
from marine_gen.passes.model import STAGING, Modules
from marine_gen.wasm.lifting import Need
from marine_runtime.texts import identifiers

# First parts of the symbols that a glue module defines itself; no module's symbol may be one of them.
_RESERVED = frozenset(
    {
        *("staging", "utf8", "nul", "start", "check", "copy", "write", "move", "new", "refuse"),
        *("export", "import", "host", "lower", "pack"),
    }
)


@dataclass(slots=True)
class GlueImports:
    """Asking for a symbol requests the import behind it.

    Attributes:
        functions: requested core functions: (module, export index) to symbol.
        hosts: requested functions of the host by call-core index of the glue's module, in order of request.
        items: requested items of guests that lifted code names: (module, item) to symbol.
        memories: names of modules whose memory is used, in order of request; `STAGING` is always there.
    """

    modules: Modules
    functions: dict[tuple[str, int], str] = field(default_factory=dict)
    items: dict[tuple[str, Need], str] = field(default_factory=dict)
    memories: dict[str, None] = field(default_factory=lambda: {STAGING: None})
    hosts: dict[int, ImportedCallee] = field(default_factory=dict)
    _symbols: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        names = list(self.modules)
        self._symbols = dict(zip(names, identifiers(names, _RESERVED), strict=True))
        self._symbols[STAGING] = "staging"

    def symbol(self, module: str) -> str:
        """The module's name as part of a symbol."""
        return self._symbols[module]

    def memory(self, module: str) -> str:
        """The memory of `module`, with the sigil."""
        self.memories[module] = None
        return f"${self._symbols[module]}"

    def memory_index(self, module: str) -> int:
        """The index of the memory of `module`, which was requested, in the glue."""
        return list(self.memories).index(module)

    def item(self, module: str, need: Need) -> str:
        """An item that `module` exports for lifted code, with the sigil."""
        self.items[module, need] = f"{self._symbols[module]}.{need.operand[1:].lower()}"
        return f"${self.items[module, need]}"

    def needs(self) -> list[tuple[str, str | None]]:
        """The imports of the glue from guests, in order: (module, export name), the name being None for its memory."""
        found: list[tuple[str, str | None]] = [(name, None) for name in self.memories if name != STAGING]
        found += [(owner, self.modules[owner].core[index].name) for owner, index in self.functions]
        return found + [(owner, need.name) for owner, need in self.items]

    def function(self, module: str, callee: CoreCallee) -> str:
        """A core function of `module`, with the sigil."""
        key = (module, callee.index)
        if key not in self.functions:
            (name,) = identifiers([callee.name])
            symbol = f"{self._symbols[module]}.{name}"
            if symbol in self._taken:
                symbol += f".{callee.index}"
            self._taken.add(symbol)
            self.functions[key] = symbol
        return f"${self.functions[key]}"

    def host(self, callee: ImportedCallee) -> str:
        """A function of the host, with the sigil."""
        self.hosts[callee.index] = callee
        return f"$host.{list(self.hosts).index(callee.index)}"

    def owner(self, module: str) -> ModuleIR:
        """The module by name."""
        return self.modules[module]

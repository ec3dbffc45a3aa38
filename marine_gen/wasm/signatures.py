"""Core signatures of a module's imports and exports, its exported memories, and whether it has a start function.

Reads the type, import, function, memory, export and start sections. Function bodies are never looked at, and nothing
is validated beyond what is needed to read the rest: the engine validates the module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.wasm.coretypes import read_types, read_value_type
from marine_gen.wasm.reader import Reader
from marine_gen.wasm.sections import CUSTOM, SECTION_NAMES, Binary, Section, WasmModule, scanned
from marine_runtime.types import CoreSignature

_KINDS = ("function", "table", "memory", "global", "tag")
_FUNCTION, _TABLE, _MEMORY, _GLOBAL, _TAG = range(5)
_COMPACT = (0x7E, 0x7F)
_HAS_MAXIMUM, _IS_SHARED, _IS_64_BIT, _HAS_PAGE_SIZE, _LIMIT_FLAGS = 0x01, 0x02, 0x04, 0x08, 0x0F


@dataclass(frozen=True, slots=True)
class CoreImport:
    """An imported function."""

    namespace: str
    name: str
    signature: CoreSignature


@dataclass(frozen=True, slots=True)
class OtherImport:
    """An imported table, memory, global or tag, by `kind`."""

    namespace: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Signatures:
    """Imports and exports of a module, in core Wasm terms.

    Attributes:
        imports: imported functions in declaration order.
        other_imports: everything else that is imported, in declaration order.
        exports: exported functions by name, in export order.
        memories: names of exported memories in export order; the first one is the memory of the adapters.
        unusable_memories: those of them that adapters can't work with, with the reason.
        has_start: whether the module has a start function.
        shared_memory: the byte in the file where a memory of its own is shared between threads, or None.
    """

    imports: tuple[CoreImport, ...] = ()
    other_imports: tuple[OtherImport, ...] = ()
    exports: Mapping[str, CoreSignature] = field(default_factory=dict)
    memories: tuple[str, ...] = ()
    unusable_memories: Mapping[str, str] = field(default_factory=dict)
    has_start: bool = False
    shared_memory: int | None = None


def read_signatures(wasm: Binary) -> Signatures:
    """Read the signatures of a module.

    Raises:
        DiagnosticError: the container or one of the sections read is malformed (WASM_HEADER, WASM_SECTION,
            WASM_MALFORMED).
    """
    return _Reading(scanned(wasm)).signatures()


class _Reading:
    """The index spaces of one module, built section by section in the order in which they depend on each other."""

    def __init__(self, module: WasmModule) -> None:
        self._wasm = module.data
        self._sections = _by_name(module.sections)
        self._types: list[CoreSignature | None] = []
        self._functions: list[CoreSignature] = []
        self._memories: list[str] = []  # by index, the reason why adapters can't work with it
        self._shared_memory: int | None = None
        self._imports: list[CoreImport] = []
        self._other_imports: list[OtherImport] = []

    def signatures(self) -> Signatures:
        if reader := self._reader("type"):
            self._types = read_types(reader)
        if reader := self._reader("import"):
            self._read_imports(reader)
        if reader := self._reader("function"):
            self._functions += [self._signature(reader) for _ in range(reader.u32("the number of functions"))]
            reader.finish()
        if reader := self._reader("memory"):
            for _ in range(reader.u32("the number of memories")):
                start = reader.position
                flags = _skip_limits(reader)
                self._memories.append(_obstacle(flags))
                if flags & _IS_SHARED and self._shared_memory is None:
                    self._shared_memory = start
            reader.finish()
        exports, memories = self._read_exports()
        if reader := self._reader("start"):
            self._index(reader, len(self._functions), "function")
            reader.finish()
        return Signatures(
            tuple(self._imports),
            tuple(self._other_imports),
            exports,
            tuple(memories),
            {name: self._memories[index] for name, index in memories.items() if self._memories[index]},
            "start" in self._sections,
            self._shared_memory,
        )

    def _reader(self, name: str) -> Reader | None:
        section = self._sections.get(name)
        if section is None:
            return None
        within = f"the {name} section"
        return Reader(self._wasm, section.payload_start, section.end, within, Code.WASM_MALFORMED)

    def _signature(self, reader: Reader) -> CoreSignature:
        start = reader.position
        index = self._index(reader, len(self._types), "type")
        signature = self._types[index]
        if signature is None:
            reader.fail(f"type {index} is not a function type", start)
        return signature

    @staticmethod
    def _index(reader: Reader, count: int, space: str) -> int:
        start = reader.position
        index = reader.u32(f"a {space} index")
        if index >= count:
            reader.fail(f"there is no {space} {index}: the module has {count}", start)
        return index

    def _read_imports(self, reader: Reader) -> None:
        for _ in range(reader.u32("the number of imports")):
            namespace = reader.name("the namespace of an import")
            name = reader.name("the name of an import")
            start = reader.position
            kind = reader.byte("the kind of an import")
            if kind in _COMPACT and not name:
                message = "the module uses compact imports, which services don't have"
                span = SourceSpan(offset=start)
                raise DiagnosticError(
                    [
                        Diagnostic(
                            Code.WASM_FEATURE,
                            message,
                            span=span,
                            within=reader.within,
                            help="build the module without this feature",
                        )
                    ]
                )
            if kind >= len(_KINDS):
                reader.fail(f"import `{namespace}.{name}` has the unknown kind {kind}", start)
            if kind == _FUNCTION:
                signature = self._signature(reader)
                self._functions.append(signature)
                self._imports.append(CoreImport(namespace, name, signature))
                continue
            self._other_imports.append(OtherImport(namespace, name, _KINDS[kind]))
            if kind == _TABLE:
                read_value_type(reader)
                _skip_limits(reader)
            elif kind == _MEMORY:
                self._memories.append(_obstacle(_skip_limits(reader)))
            elif kind == _GLOBAL:
                read_value_type(reader)
                reader.byte("a mutability flag")
            else:
                reader.byte("a tag attribute")
                reader.u32("a type index")
        reader.finish()

    def _read_exports(self) -> tuple[dict[str, CoreSignature], dict[str, int]]:
        """The exported functions, and the exported memories with their indices."""
        functions: dict[str, CoreSignature] = {}
        memories: dict[str, int] = {}
        names: set[str] = set()
        reader = self._reader("export")
        if reader is None:
            return functions, memories
        for _ in range(reader.u32("the number of exports")):
            start = reader.position
            name = reader.name("the name of an export")
            if name in names:
                reader.fail(f"two exports are called `{name}`", start)
            names.add(name)
            kind = reader.byte("the kind of an export")
            if kind == _FUNCTION:
                functions[name] = self._functions[self._index(reader, len(self._functions), "function")]
            elif kind == _MEMORY:
                memories[name] = self._index(reader, len(self._memories), "memory")
            elif kind < len(_KINDS):
                reader.u32(f"a {_KINDS[kind]} index")
            else:
                reader.fail(f"export `{name}` has the unknown kind {kind}", reader.position - 1)
        reader.finish()
        return functions, memories


def _by_name(sections: tuple[Section, ...]) -> dict[str, Section]:
    found: dict[str, Section] = {}
    for section in sections:
        if section.id == CUSTOM:
            continue
        name = SECTION_NAMES[section.id]
        if name in found:
            message = f"the module has two {name} sections"
            raise DiagnosticError([Diagnostic(Code.WASM_MALFORMED, message, span=SourceSpan(offset=section.start))])
        found[name] = section
    return found


def _obstacle(flags: int) -> str:
    """The reason why adapters can't work with a memory whose limits have these flags; empty if they can."""
    if flags & _IS_64_BIT:
        return "it has 64-bit addresses, and modules of a service have 32-bit ones: build it for `wasm32`"
    return ""


def _skip_limits(reader: Reader) -> int:
    """Skip limits; gives their flags."""
    start = reader.position
    flags = reader.byte("the flags of a limit")
    if flags & ~_LIMIT_FLAGS:
        reader.fail(f"0x{flags:02x} are not limit flags", start)
    read = reader.u64 if flags & _IS_64_BIT else reader.u32
    read("a minimum size")
    if flags & _HAS_MAXIMUM:
        read("a maximum size")
    if flags & _HAS_PAGE_SIZE:
        reader.u32("a page size")
    return flags

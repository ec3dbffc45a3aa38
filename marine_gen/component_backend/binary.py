"""The binary format of components (component-model, `Binary.md`), as far as components of services need it.

A `ComponentWriter` appends definitions and gives each the next index of its sort. Names are data: they are written with
their length, whatever they hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from marine_gen.wasm.reader import write_u32

PREAMBLE = b"\0asm\x0d\0\x01\0"
_MODULE, _CORE_INSTANCE, _COMPONENT, _INSTANCE, _ALIAS, _TYPE, _CANON, _IMPORT, _EXPORT = 1, 2, 4, 5, 6, 7, 8, 10, 11


class Core(Enum):
    """Sorts of core definitions."""

    FUNC = 0x00
    TABLE = 0x01
    MEMORY = 0x02
    GLOBAL = 0x03
    MODULE = 0x11
    INSTANCE = 0x12


class Sort(Enum):
    """Sorts of other definitions."""

    FUNC = 0x01
    TYPE = 0x03
    COMPONENT = 0x04
    INSTANCE = 0x05


@dataclass(frozen=True, slots=True)
class CoreItem:
    """A core definition by sort and index."""

    sort: Core
    index: int


@dataclass(frozen=True, slots=True)
class Item:
    """Any other definition by sort and index."""

    sort: Sort
    index: int


@dataclass(frozen=True, slots=True)
class CanonOptions:
    """Options of lifting and lowering: what values in memory need.

    Attributes:
        memory: the memory.
        realloc: the core function that makes room.
        post_return: the core function that is called once the result was read.
    """

    memory: CoreItem | None = None
    realloc: CoreItem | None = None
    post_return: CoreItem | None = None

    def encoded(self) -> bytes:
        """The options; strings are UTF-8."""
        given = ((b"\x03", self.memory), (b"\x04", self.realloc), (b"\x05", self.post_return))
        found = [b"\0", *(kind + write_u32(item.index) for kind, item in given if item)]
        return vector(found)


def vector(items: Sequence[bytes]) -> bytes:
    """A counted sequence."""
    return write_u32(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    """A name with its length."""
    encoded = text.encode()
    return write_u32(len(encoded)) + encoded


def external_name(text: str) -> bytes:
    """The name of an import or export of a component."""
    return b"\0" + name(text)


def _item(item: CoreItem | Item) -> bytes:
    core = b"\0" if isinstance(item, CoreItem) else b""
    return core + bytes([item.sort.value]) + write_u32(item.index)


def _core_item(item: CoreItem) -> bytes:
    return bytes([item.sort.value]) + write_u32(item.index)


class ComponentWriter:
    """A component, section by section; neighbouring definitions of one kind share a section."""

    def __init__(self) -> None:
        self._counts: Counter[Core | Sort] = Counter()
        self._sections: list[tuple[int, list[bytes]]] = []

    def encoded(self) -> bytes:
        """The component."""
        found = [PREAMBLE]
        for kind, items in self._sections:
            content = items[0] if kind in (_MODULE, _COMPONENT) else vector(items)
            found.append(bytes([kind]) + write_u32(len(content)) + content)
        return b"".join(found)

    def _add(self, section: int, content: bytes) -> None:
        single = section in (_MODULE, _COMPONENT)
        if single or not self._sections or self._sections[-1][0] != section:
            self._sections.append((section, []))
        self._sections[-1][1].append(content)

    def _next(self, sort: Core | Sort) -> int:
        self._counts[sort] += 1
        return self._counts[sort] - 1

    def _core(self, sort: Core) -> CoreItem:
        return CoreItem(sort, self._next(sort))

    def _other(self, sort: Sort) -> Item:
        return Item(sort, self._next(sort))

    # Core modules and their instances

    def module(self, wasm: bytes) -> CoreItem:
        """A core module."""
        self._add(_MODULE, wasm)
        return self._core(Core.MODULE)

    def instantiate(self, module: CoreItem, imports: Mapping[str, CoreItem]) -> CoreItem:
        """An instance of a module, whose imports are instances by namespace."""
        arguments = [name(text) + _core_item(item) for text, item in imports.items()]
        self._add(_CORE_INSTANCE, b"\0" + write_u32(module.index) + vector(arguments))
        return self._core(Core.INSTANCE)

    def bundle(self, items: Mapping[str, CoreItem]) -> CoreItem:
        """An instance made of definitions by name."""
        self._add(_CORE_INSTANCE, b"\1" + vector([name(text) + _core_item(item) for text, item in items.items()]))
        return self._core(Core.INSTANCE)

    def core_export(self, instance: CoreItem, sort: Core, text: str) -> CoreItem:
        """A definition that a core instance exports."""
        self._add(_ALIAS, bytes([0, sort.value, 1]) + write_u32(instance.index) + name(text))
        return self._core(sort)

    # Types, functions, instances

    def type(self, content: bytes) -> Item:
        """A type, encoded."""
        self._add(_TYPE, content)
        return self._other(Sort.TYPE)

    def lift(self, function: CoreItem, ty: Item, options: CanonOptions) -> Item:
        """A core function as a function of the component."""
        self._add(_CANON, b"\0\0" + write_u32(function.index) + options.encoded() + write_u32(ty.index))
        return self._other(Sort.FUNC)

    def lower(self, function: Item, options: CanonOptions) -> CoreItem:
        """A function of the component as a core function."""
        self._add(_CANON, b"\1\0" + write_u32(function.index) + options.encoded())
        return self._core(Core.FUNC)

    def resource_drop(self, resource: Item) -> CoreItem:
        """The core function that drops a handle of a resource type."""
        self._add(_CANON, b"\3" + write_u32(resource.index))
        return self._core(Core.FUNC)

    def export_of(self, instance: Item, sort: Sort, text: str) -> Item:
        """A definition that an instance exports."""
        self._add(_ALIAS, bytes([sort.value, 0]) + write_u32(instance.index) + name(text))
        return self._other(sort)

    def component(self, content: bytes) -> Item:
        """A component inside this one."""
        self._add(_COMPONENT, content)
        return self._other(Sort.COMPONENT)

    def instance(self, component: Item, imports: Iterable[tuple[str, Item]]) -> Item:
        """An instance of a component, with its imports."""
        arguments = [name(text) + _item(item) for text, item in imports]
        self._add(_INSTANCE, b"\0" + write_u32(component.index) + vector(arguments))
        return self._other(Sort.INSTANCE)

    # Imports and exports

    def import_function(self, text: str, ty: Item) -> Item:
        """An imported function."""
        self._add(_IMPORT, external_name(text) + b"\1" + write_u32(ty.index))
        return self._other(Sort.FUNC)

    def import_type(self, text: str, ty: Item) -> Item:
        """An imported type that equals `ty`."""
        self._add(_IMPORT, external_name(text) + b"\3\0" + write_u32(ty.index))
        return self._other(Sort.TYPE)

    def import_instance(self, text: str, ty: Item) -> Item:
        """An imported instance."""
        self._add(_IMPORT, external_name(text) + b"\5" + write_u32(ty.index))
        return self._other(Sort.INSTANCE)

    def export(self, text: str, item: Item, ty: Item | None = None) -> Item:
        """An export; `ty` is the type of a function as it is seen outside. The export is a new definition."""
        described = b"\0" if ty is None else b"\1\1" + write_u32(ty.index)
        self._add(_EXPORT, external_name(text) + _item(item) + described)
        return self._other(item.sort)

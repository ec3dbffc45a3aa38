"""The imports and exports of a Wasm binary, read from its bytes.

Wasmtime's C API ends the process when it is asked for a function type with a vector or with most references, so it is
not asked. Only valid modules come here: Wasmtime has compiled them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from marine_runtime.types import CoreSignature
from marine_runtime.wasm.binary import Cursor, sections
from marine_runtime.wasm.module import Described, MemoryKind, Shape, TableKind

_Types = Sequence[CoreSignature | None]
"""The types of a module by index; None for one that is not a function's."""

_TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _EXPORT = 1, 2, 3, 4, 5, 7  # sections
_FUNC, _TABLES, _MEMORIES, _GLOBAL, _TAG = range(5)  # kinds of imports and exports
_STRUCT, _ARRAY, _SIGNATURE = 0x5F, 0x5E, 0x60
_RECURSION_GROUP, _SUB_TYPES = 0x4E, (0x50, 0x4F)


def shape_of(wasm: bytes) -> Shape:
    """The shape of a valid module; takes a microsecond for each import, function and export."""
    found = dict(sections(wasm))
    types = list(_read_types(found[_TYPE])) if _TYPE in found else []
    spaces: tuple[list[Described], ...] = tuple([] for _ in range(_TAG + 1))
    imports: list[tuple[str, str, Described]] = []
    exports: list[tuple[str, Described]] = []
    if cursor := found.get(_IMPORT):
        for _ in range(cursor.number()):
            namespace, name, kind = cursor.name(), cursor.name(), cursor.byte()
            described = _READ[kind](cursor, types)
            spaces[kind].append(described)
            imports.append((namespace, name, described))
    for section, kind in ((_FUNCTION, _FUNC), (_TABLE, _TABLES), (_MEMORY, _MEMORIES)):
        if cursor := found.get(section):
            spaces[kind].extend([_READ[kind](cursor, types) for _ in range(cursor.number())])
    if cursor := found.get(_EXPORT):
        for _ in range(cursor.number()):
            name, kind, index = cursor.name(), cursor.byte(), cursor.number()
            exports.append((name, None if kind in (_GLOBAL, _TAG) else spaces[kind][index]))
    return Shape.of(imports, exports)


def _read_types(cursor: Cursor) -> Iterator[CoreSignature | None]:
    for _ in range(cursor.number()):
        if cursor.data[cursor.at] == _RECURSION_GROUP:
            cursor.at += 1
            yield from [_read_type(cursor) for _ in range(cursor.number())]
        else:
            yield _read_type(cursor)


def _read_type(cursor: Cursor) -> CoreSignature | None:
    form = cursor.byte()
    if form in _SUB_TYPES:
        for _ in range(cursor.number()):
            cursor.number()
        form = cursor.byte()
    if form == _SIGNATURE:
        return CoreSignature(_value_types(cursor), _value_types(cursor))
    for _ in range(1 if form == _ARRAY else cursor.number() if form == _STRUCT else 0):
        cursor.value_type()  # of packed fields too: they have one byte as well
        cursor.at += 1
    return None


def _value_types(cursor: Cursor) -> tuple[str, ...]:
    return tuple([cursor.value_type() for _ in range(cursor.number())])


def _read_function(cursor: Cursor, types: _Types) -> Described:
    return types[cursor.number()]


def _read_table(cursor: Cursor, types: _Types) -> Described:
    return TableKind(*cursor.table())


def _read_memory(cursor: Cursor, types: _Types) -> Described:
    return MemoryKind(cursor.limits()[2])


def _read_global(cursor: Cursor, types: _Types) -> Described:
    cursor.value_type()
    cursor.at += 1
    return None


def _read_tag(cursor: Cursor, types: _Types) -> Described:
    cursor.at += 1
    cursor.number()
    return None


_READ: dict[int, Callable[[Cursor, _Types], Described]] = {
    _FUNC: _read_function,
    _TABLES: _read_table,
    _MEMORIES: _read_memory,
    _GLOBAL: _read_global,
    _TAG: _read_tag,
}

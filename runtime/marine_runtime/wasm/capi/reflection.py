"""The imports and exports of a compiled module, as Wasmtime reports them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

from marine_runtime.types import CoreSignature
from marine_runtime.wasm.capi.library import function
from marine_runtime.wasm.capi.objects import NativeModule
from marine_runtime.wasm.module import Described, MemoryKind, Shape, TableKind

_FUNC, _TABLE, _MEMORY = 0, 2, 3  # kinds of extern types
_NAMES = {0: "i32", 1: "i64", 2: "f32", 3: "f64", 128: "anyref", 129: "funcref"}
_Vector = ctypes.c_size_t * 2
_NO_MAXIMUM = 0xFFFFFFFF


def shape_of(module: NativeModule) -> Shape:
    """The shape of a module, which takes a microsecond or two for every import and export."""
    imports, exports = _Vector(), _Vector()
    function("wasmtime_module_imports")(module.ptr(), ctypes.addressof(imports))
    try:
        wanted = [
            (_name(item, "wasm_importtype_module"), _name(item, "wasm_importtype_name"), _kind(item, "import"))
            for item in _items(imports)
        ]
    finally:
        function("wasm_importtype_vec_delete")(ctypes.addressof(imports))
    function("wasmtime_module_exports")(module.ptr(), ctypes.addressof(exports))
    try:
        offered = [(_name(item, "wasm_exporttype_name"), _kind(item, "export")) for item in _items(exports)]
    finally:
        function("wasm_exporttype_vec_delete")(ctypes.addressof(exports))
    return Shape.of(wanted, offered)


def _items(vector: Any) -> Iterator[int]:
    size, data = vector
    return iter((ctypes.c_size_t * size).from_address(data) if size else ())


def _name(item: int, getter: str) -> str:
    address = function(getter)(item)
    if not address:
        return ""
    size, data = _Vector.from_address(address)
    return ctypes.string_at(data, size).decode() if size else ""


def _kind(item: int, what: str) -> Described:
    kind = function(f"wasm_{what}type_type")(item)
    number = function("wasm_externtype_kind")(kind)
    describe = _DESCRIBE.get(number)
    return None if describe is None else describe(kind)


def _describe_function(kind: int) -> Described:
    item = function("wasm_externtype_as_functype_const")(kind)
    return CoreSignature(*(_values(function(f"wasm_functype_{part}")(item)) for part in ("params", "results")))


def _describe_table(kind: int) -> Described:
    item = function("wasm_externtype_as_tabletype_const")(kind)
    limits = (ctypes.c_uint32 * 2).from_address(function("wasm_tabletype_limits")(item))
    element = _value(function("wasm_tabletype_element")(item))
    return TableKind(element, limits[0], None if limits[1] == _NO_MAXIMUM else limits[1])


def _describe_memory(kind: int) -> Described:
    item = function("wasm_externtype_as_memorytype_const")(kind)
    return MemoryKind(function("wasmtime_memorytype_is64")(item))


_DESCRIBE: dict[int, Callable[[int], Described]] = {
    _FUNC: _describe_function,
    _TABLE: _describe_table,
    _MEMORY: _describe_memory,
}


def _values(address: int) -> tuple[str, ...]:
    return tuple(map(_value, _items(_Vector.from_address(address))))


def _value(kind: int) -> str:
    number = function("wasm_valtype_kind")(kind)
    return _NAMES.get(number, f"ValType({number})")

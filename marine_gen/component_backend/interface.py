"""Interfaces of a component: functions and records under their component names.

Functions and records share a scope. A record whose name a function has is named with `-record` behind it; other
collisions are errors. Records that are equal in name and structure are one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from marine_gen.component_backend.errors import ComponentError
from marine_gen.component_backend.names import Scope, kebab, unique
from marine_runtime.abi import Bytes, Flat, List, ModulePlan, Shape, Struct, Text, shape
from marine_runtime.texts import quoted
from marine_runtime.types import FunctionType, IType, Records

_SUFFIX = "-record"

NamedType = tuple[str, IType]


@dataclass(frozen=True, slots=True)
class WitRecord:
    """A record with its component name, and those of its fields."""

    name: str
    fields: tuple[NamedType, ...]


@dataclass(frozen=True, slots=True)
class WitFunction:
    """A function with its component name.

    Attributes:
        source: its name in the module.
        type: its signature there.
    """

    name: str
    source: str
    params: tuple[NamedType, ...]
    result: IType | None
    type: FunctionType


@dataclass(frozen=True, slots=True)
class WitInterface:
    """An interface that a component exports or imports.

    Attributes:
        name: its full name, such as `marine:greeting/greeting`.
        records: the records in use, each behind those that it contains.
        functions: the functions in the order of the module.
        record_names: the component name of each record by type index; several indices may be one record.
    """

    name: str
    records: tuple[WitRecord, ...]
    functions: tuple[WitFunction, ...]
    record_names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class LeftOutFunction:
    """A function that can't be in an interface, with the reason."""

    name: str
    reason: str


def full_name(package: str, interface: str) -> str:
    """The name of an interface of a package, which may have a version: `a:b@1.0.0` and `c` are `a:b/c@1.0.0`."""
    name, at, version = package.partition("@")
    return f"{name}/{interface}{at}{version}"


def interface_of(
    name: str, functions: Mapping[str, FunctionType], records: Records
) -> tuple[WitInterface, list[LeftOutFunction]]:
    """The interface of functions, and those that components can't have: their types contain themselves.

    Raises:
        ComponentError: a name can't be one of a component, or two are the same; a record has no fields.
    """
    usable, left_out = {}, []
    for function, ty in functions.items():
        if reason := _obstacle(ty, records):
            left_out.append(LeftOutFunction(function, reason))
        else:
            usable[function] = ty
    return _Naming(records).interface(name, usable), left_out


def exportable(plan: ModulePlan) -> frozenset[str]:
    """The functions of a module that an interface can have."""
    return frozenset(name for name, ty in plan.exports.items() if not _obstacle(ty, plan.records))


def _obstacle(ty: FunctionType, records: Records) -> str:
    """The reason why a function can't be in an interface; empty if it can."""
    if len(ty.results) > 1:
        return "it has several results, and functions of components have one at most"
    for one in (*(param.type for param in ty.params), *ty.results):
        if cycle := _cycle(shape(one), records, ()):
            path = " → ".join(quoted(records[index].name) for index in cycle)
            return f"the record {path} contains itself, and types of components can't"
    return ""


def _cycle(part: Shape, records: Records, opened: tuple[int, ...]) -> tuple[int, ...]:
    """The way from a record to itself, as type indices; empty if there is none."""
    match part:
        case Flat() | Text() | Bytes():
            return ()
        case List(element=element):
            return _cycle(element, records, opened)
        case Struct(id=index):
            if index in opened:
                return (*opened[opened.index(index) :], index)
            inner = (_cycle(shape(item.type), records, (*opened, index)) for item in records[index].fields)
            return next(filter(None, inner), ())
        case _:
            assert_never(part)


class _Naming:
    """The names of one interface, as they are given."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._scope = Scope("the functions and records")
        self._known: dict[object, str] = {}  # by name and structure
        self._names: dict[int, str] = {}
        self._made: list[WitRecord] = []

    def interface(self, name: str, functions: Mapping[str, FunctionType]) -> WitInterface:
        named = [self._scope.take(kebab(function, "function"), function) for function in functions]
        made = []
        for text, (function, ty) in zip(named, functions.items(), strict=True):
            for one in (*(param.type for param in ty.params), *ty.results):
                self._visit(shape(one))
            names = unique((param.name for param in ty.params), "parameter")
            params = tuple((found, param.type) for found, param in zip(names, ty.params, strict=True))
            made.append(WitFunction(text, function, params, ty.results[0] if ty.results else None, ty))
        return WitInterface(name, tuple(self._made), tuple(made), self._names)

    def _visit(self, part: Shape) -> None:
        match part:
            case Flat() | Text() | Bytes():
                return
            case List(element=element):
                self._visit(element)
            case Struct(id=index):
                if index not in self._names:
                    self._declare(index)
            case _:
                assert_never(part)

    def _declare(self, index: int) -> None:
        record = self._records[index]
        if not record.fields:
            raise ComponentError(
                f"the record {quoted(record.name)} has no fields, and records of components have at least one: give it "
                "a field, or leave the functions that use it out of the module"
            )
        for item in record.fields:
            self._visit(shape(item.type))
        names = unique((item.name for item in record.fields), "field")
        fields = tuple((found, item.type) for found, item in zip(names, record.fields, strict=True))
        key = (record.name, tuple((found, self._key(shape(ty))) for found, ty in fields))
        if key not in self._known:
            text = kebab(record.name, "record")
            if text in self._scope and text not in self._known.values():
                text += _SUFFIX
            self._known[key] = self._scope.take(text, record.name)
            self._made.append(WitRecord(text, fields))
        self._names[index] = self._known[key]

    def _key(self, part: Shape) -> object:
        match part:
            case Flat(kind=kind, layout=slot):
                return (kind, slot.size)
            case Text() | Bytes():
                return part
            case List(element=element):
                return (List, self._key(element))
            case Struct(id=index):
                return self._names[index]
            case _:
                assert_never(part)

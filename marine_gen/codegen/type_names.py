"""Names of types in generated code: as parts of identifiers, and as annotations of Python.

In the body of a class with a method `str`, the annotation `str` means the method to a type checker. There, types have
second names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import assert_never

from marine_runtime import ModuleInterface
from marine_runtime.abi import Bytes, Flat, List, Shape, Struct, Text, shape
from marine_runtime.texts import identifier
from marine_runtime.types import FunctionType, IType, Records
from marine_runtime.values import scalar_class

Spell = Callable[[str], str]
"""Turns the name of a type into the one that is visible where it is written."""


def type_key(ty: IType) -> str:
    """`ty` as part of an identifier: `array_record_6`. Equivalent spellings of a type have one key."""
    return _key(shape(ty))


def _key(part: Shape) -> str:
    match part:
        case Flat(prim=prim):
            return prim.value
        case Text():
            return "string"
        case Bytes():
            return "bytes"
        case List(element=element):
            return f"array_{_key(element)}"
        case Struct(id=index):
            return f"record_{index}"
        case _:
            assert_never(part)


class Annotations:
    """Python annotations of public values; `classes` names the record dataclasses by type index."""

    def __init__(self, records: Records, classes: Mapping[int, str]) -> None:
        self._records = records
        self._classes = classes

    def of(self, ty: IType, spell: Spell = str) -> str:
        """The annotation of one value."""
        part = shape(ty)
        match part:
            case Flat(kind=kind):
                return spell(scalar_class(kind).__name__)
            case Text():
                return spell("str")
            case Bytes():
                return spell("bytes")
            case List(element=element):
                return f"{spell('list')}[{self.of(element.type, spell)}]"
            case Struct(id=index):
                return spell(self._classes[index])
            case _:
                assert_never(part)

    def results(self, signature: FunctionType, spell: Spell = str) -> str:
        """The annotation of what a function returns."""
        match signature.results:
            case ():
                return "None"
            case (result,):
                return self.of(result, spell)
            case results:
                return f"{spell('tuple')}[{', '.join(self.of(result, spell) for result in results)}]"

    def listing(self, function: str, signature: FunctionType) -> str:
        """The function as listings show it."""
        return ModuleInterface({function: signature}, self._records).signature(function)


class Aliases:
    """The second names of one generated file; `classes` are the names that it declares itself."""

    def __init__(self, classes: Iterable[str]) -> None:
        self._classes = set(classes)
        self._names: dict[str, str] = {}  # by second name

    def within(self, members: Collection[str]) -> Spell:
        """Names of types in the body of a class with those members."""
        return lambda name: self._second(name, members) if name in members else name

    def items(self) -> list[tuple[str, str]]:
        """Name and second name of every type that has one, sorted."""
        return sorted((name, alias) for alias, name in self._names.items())

    def _second(self, name: str, members: Collection[str]) -> str:
        for alias, known in self._names.items():
            if known == name and alias not in members:
                return alias
        alias = identifier(f"_{name}", {*members, *self._classes, *self._names})
        self._names[alias] = name
        return alias

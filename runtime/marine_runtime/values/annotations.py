"""From Python annotations to interface types, for host functions.

`declared` reads a function's signature once, when it becomes a host function; nothing is guessed: what has no
annotation, or one that stands for no interface type, is refused with its place. Dataclasses become records; `maker_of`
turns internal values into instances of them. Values are checked elsewhere (`values`).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, assert_never, get_args, get_origin, get_type_hints

from marine_runtime.errors import ArgumentError
from marine_runtime.texts.messages import printable
from marine_runtime.types import (
    Array,
    Field,
    FunctionType,
    IType,
    Prim,
    Record,
    Records,
    RecordType,
    is_bytes,
    stripped,
)
from marine_runtime.values.records import ToPublic, python_type

S8 = Annotated[int, Prim.S8]
S16 = Annotated[int, Prim.S16]
S32 = Annotated[int, Prim.S32]
S64 = Annotated[int, Prim.S64]
U8 = Annotated[int, Prim.U8]
U16 = Annotated[int, Prim.U16]
U32 = Annotated[int, Prim.U32]
U64 = Annotated[int, Prim.U64]
F32 = Annotated[float, Prim.F32]

_PLAIN: Mapping[Any, Prim] = {
    str: Prim.STRING,
    bytes: Prim.BYTE_ARRAY,
    bool: Prim.BOOLEAN,
    float: Prim.F64,
}
_USABLE = "str, bytes, bool, float, an int with a width (S8 to U64), list[…] or a dataclass"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def declared(function: Callable[..., Any]) -> tuple[FunctionType, dict[int, RecordType], dict[int, type]]:
    """The signature of `function` by its annotations, its records, and the dataclass of every record.

    Raises:
        ArgumentError: an annotation is missing, can't be resolved, or stands for no interface type.
    """
    name = f"`{printable(str(getattr(function, '__qualname__', None) or type(function).__name__))}`"
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} has no signature that Python knows; give its types explicitly") from None
    hints = _hints(_annotated(function), {}, name)
    reader = _Reader()
    params = []
    for parameter in parameters.values():
        where = f"parameter `{parameter.name}` of {name}"
        if parameter.kind not in _POSITIONAL:
            raise ArgumentError(f"{where} is not positional; modules pass a fixed number of arguments in order")
        if parameter.name not in hints:
            raise ArgumentError(f"{where} has no annotation; use {_USABLE}")
        params.append(Field(parameter.name, reader.type_of(hints[parameter.name], where)))
    if "return" not in hints:
        raise ArgumentError(f"the result of {name} has no annotation; `-> None` declares none")
    results: tuple[IType, ...] = ()
    if hints["return"] is not type(None):
        results = (reader.type_of(hints["return"], f"the result of {name}"),)
    reader.refuse_endless()
    return FunctionType(tuple(params), results), reader.records, reader.classes


def _annotated(function: Any) -> Any:
    """The object that carries the annotations of a callable."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _hints(owner: Any, names: dict[str, Any], what: str) -> dict[str, Any]:
    try:
        return get_type_hints(owner, localns=names or None, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise ArgumentError(
            f"the annotations of {what} can't be resolved: {error} (names must be known at module level)"
        ) from None


class _Reader:
    """Reads annotations; every dataclass becomes one record."""

    def __init__(self) -> None:
        self.records: dict[int, RecordType] = {}
        self.classes: dict[int, type] = {}
        self._numbers: dict[type, int] = {}

    def type_of(self, annotation: Any, where: str) -> IType:
        """The interface type of one annotation."""
        try:
            if annotation in _PLAIN:
                return _PLAIN[annotation]
        except TypeError:  # unhashable
            pass
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._explicit(args[0], args[1:], where)
        if origin is list:
            element = self.type_of(args[0], where)
            if is_bytes(Array(element)):
                raise ArgumentError(f"{where}: an array of u8 is bytes in Python; use bytes")
            return Array(element)
        if annotation in (list, typing.List):  # noqa: UP006 - the old spelling is recognised too
            raise ArgumentError(f"{where}: list needs the type of its elements, as in list[str]")
        if annotation is int:
            raise ArgumentError(f"{where}: int needs a width; use S8, S16, S32, S64, U8, U16, U32 or U64")
        if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            return self._record(annotation)
        shown = annotation.__qualname__ if isinstance(annotation, type) and origin is None else str(annotation)
        raise ArgumentError(f"{where}: {printable(shown)} has no interface type; use {_USABLE}")

    def _explicit(self, base: Any, notes: tuple[Any, ...], where: str) -> IType:
        chosen = [note for note in notes if isinstance(note, (Prim, Array, Record))]
        if not chosen:
            return self.type_of(base, where)
        if len(chosen) > 1:
            raise ArgumentError(f"{where} has several interface types: {', '.join(map(str, chosen))}")
        _, innermost = stripped(chosen[0])
        if isinstance(innermost, Record):
            raise ArgumentError(f"{where}: {innermost} refers to a record by its index in a module; use a dataclass")
        python = python_type(chosen[0], {})
        if base is not Any and base != python:
            wanted = python.__name__ if isinstance(python, type) and get_origin(python) is None else python
            raise ArgumentError(f"{where}: values of {chosen[0]} are {wanted} in Python")
        return chosen[0]

    def _record(self, cls: type) -> Record:
        if cls in self._numbers:
            return Record(self._numbers[cls])
        number = self._numbers[cls] = len(self._numbers)
        self.classes[number] = cls
        name = f"`{cls.__qualname__}`"
        hints = _hints(cls, {cls.__name__: cls}, name)
        fields = []
        for item in dataclasses.fields(cls):
            where = f"field `{item.name}` of {name}"
            if not item.init:
                raise ArgumentError(f"{where} is not set by the constructor; records have plain fields only")
            fields.append(Field(item.name, self.type_of(hints[item.name], where)))
        if not fields:
            raise ArgumentError(f"{name} has no fields; a record has at least one")
        self.records[number] = RecordType(cls.__name__, tuple(fields))
        return Record(number)

    def refuse_endless(self) -> None:
        """Refuse records that contain themselves without an array in between: there is no such value."""
        done: set[int] = set()

        def visit(number: int, trail: tuple[int, ...]) -> None:
            if number in trail:
                names = " in ".join(f"`{self.records[item].name}`" for item in (*trail[trail.index(number) :], number))
                raise ArgumentError(f"a record can contain itself only through a list: {names}")
            if number not in done:
                for item in self.records[number].fields:
                    if isinstance(item.type, Record):
                        visit(item.type.id, (*trail, number))
                done.add(number)

        for number in self.records:
            visit(number, ())


def maker_of(records: Records, classes: Mapping[int, type]) -> Callable[[IType], ToPublic | None]:
    """Functions by type from internal values to values with instances of `classes`, made by their constructors."""
    makers: dict[int, ToPublic] = {}

    def make(ty: IType) -> ToPublic | None:
        match ty:
            case Prim():
                return None
            case Array(element=inner):
                element = make(inner)
                return None if element is None else lambda values: [element(value) for value in values]
            case Record(id=index):
                return made_by(index)
            case _:
                assert_never(ty)

    def made_by(index: int) -> ToPublic:
        if index not in makers:
            cls, fields = classes[index], records[index].fields
            names = [item.name for item in fields]
            parts: list[ToPublic | None] = []

            def new(value: Any) -> Any:
                made = (part(item) if part else item for part, item in zip(parts, value, strict=True))
                return cls(**dict(zip(names, made, strict=True)))

            makers[index] = new  # a recursive record finds itself here
            parts.extend(make(item.type) for item in fields)
        return makers[index]

    return make

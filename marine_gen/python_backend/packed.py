"""Packing and unpacking of records and arrays: one function per type and direction, for public or internal values.

Values of the row are handled one by one; what arrays hold, a column at a time, so that each step over many values is a
loop in C. `marine_runtime.abi.packed` has the form.

Public values come as users hold them. Only exactly the expected classes are packed; anything else raises one of
`UNUSUAL`, and the runtime's coercion decides. Lists are copied before they are looked at, as other threads may change
them: what is packed is of one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import assert_never

from marine_gen.codegen.literals import python_tuple
from marine_gen.codegen.type_names import type_key
from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.python_backend.needs import CONSTANTS, HELPERS, READY, Needs, own
from marine_runtime.abi import NO_TEXT, Bytes, Flat, Kind, List, Packing, Place, Struct, Text, packing, shape
from marine_runtime.names import identifiers
from marine_runtime.types import IType, Records
from marine_runtime.values import scalar_class
from marine_runtime.wasm import MANY

UNUSUAL = ("AttributeError", "OverflowError", "StructError", "TypeError", "ValueError")
"""The errors of packing a public value that can't be packed as it is."""

_NO_TEXT = f'b"\\x{NO_TEXT:02x}"'


class PackedValues:
    """The functions of one generated module that pack and unpack. Asking for a name requests the function."""

    def __init__(
        self,
        records: Records,
        classes: Mapping[int, str],
        needs: Needs,
        annotations: tuple[Callable[[IType], str], Callable[[IType], str]],
    ) -> None:
        """Write into `needs`; `annotations` spell the types of internal values, and of public ones."""
        self.records = records
        self.needs = needs
        self._annotations = annotations
        self._class_names = classes

    def packing(self, ty: IType) -> Packing | None:
        """The packed form of `ty`, if it has one."""
        return packing(ty, self.records)

    def checks(self, ty: IType) -> bool:
        """Return whether `check` has a function for `ty`: it is an array or a record, and not recursive."""
        return _numbers(ty) is not None or self.packing(ty) is not None

    def check(self, ty: IType) -> str:
        """The name of the function from a public argument to what the call takes; it raises one of `UNUSUAL`."""
        element = _numbers(ty)
        if element is None:
            return self.pack(ty, public=True)
        checker, cls = self.needs.support("flat_checker"), self.needs.standard(scalar_class(element.kind).__name__)
        return self.needs.binding(READY, f"check_{type_key(ty)}", f'{checker}({cls}, "{element.layout.format}")')

    def internal(self, ty: IType, value: str) -> str:
        """The argument of the call for an internal value."""
        return value if _numbers(ty) is not None else f"{self.pack(ty, public=False)}({value})"

    def pack(self, ty: IType, *, public: bool) -> str:
        """The name of the function from a value to its packed bytes."""
        packed = self.packing(ty)
        assert packed is not None
        name = own(f"pack_{'public_' if public else ''}{type_key(ty)}")
        if name not in self.needs.definitions:
            with self.needs.definition(HELPERS, name) as definition:
                definition.lines = _Pack(self, packed, type_key(ty), public=public).function(name)
        return self.needs.definitions.use(name)

    def unpack(self, ty: IType, *, public: bool) -> str:
        """The name of the function from the address of a packed value in staging to the value."""
        packed = self.packing(ty)
        assert packed is not None
        public = public and any(isinstance(place.shape, Struct) for place in packed.places)
        name = own(f"unpack_{'public_' if public else ''}{type_key(ty)}")
        if name not in self.needs.definitions:
            with self.needs.definition(HELPERS, name) as definition:
                definition.lines = _Unpack(self, packed, type_key(ty), public=public).function(name)
        return self.needs.definitions.use(name)

    def annotation(self, ty: IType, *, public: bool) -> str:
        """The annotation of a value."""
        return self._annotations[public](ty)

    def header(self, packed: Packing, key: str) -> str:
        """The name of the `struct` of the fixed part."""
        expression = f'{self.needs.standard("Struct")}("<{packed.header}")'
        return self.needs.binding(CONSTANTS, f"header_{key}", expression)

    def record_class(self, index: int) -> str:
        """The name of the class of a record."""
        return self.needs.binding(READY, f"class_{index}", self._class_names[index])

    def twin(self, index: int) -> str:
        """The name of its twin."""
        return self.needs.binding(
            READY, f"twin_{index}", f"{self.needs.support('stand_in')}({self.record_class(index)})"
        )


def _numbers(ty: IType) -> Flat | None:
    """The element of an array of flat values, which is not packed; None for other types."""
    part = shape(ty)
    return part.element if isinstance(part, List) and isinstance(part.element, Flat) else None


class _Function:
    """The common part of writing either kind of function."""

    def __init__(self, values: PackedValues, packed: Packing, key: str, *, public: bool) -> None:
        self._values = values
        self._needs = values.needs
        self._packed = packed
        self._key = key
        self._public = public
        self._writer = Writer(PYTHON, 1)

    @property
    def _any(self) -> str:
        return self._needs.standard("Any")

    def _fields(self, part: Struct) -> list[str]:
        return identifiers([item.name for item in self._values.records[part.id].fields])


class _Pack(_Function):
    def __init__(self, values: PackedValues, packed: Packing, key: str, *, public: bool) -> None:
        super().__init__(values, packed, key, public=public)
        self._leaves: list[str] = []
        self._texts: list[str] = []
        self._columns = [""] * len(packed.columns)
        self._extents = ["0"] * len(packed.columns)

    def function(self, name: str) -> list[str]:
        writer, packed = self._writer, self._packed
        with writer.block(f"def {name}(value: {self._any}) -> {self._needs.standard('bytes')}:"):
            self._value(packed.root, "value")
            numbers = [*self._leaves, *self._extents, *(f"s{column}" for column in packed.separated)]
            row = f"{self._values.header(packed, self._key)}.pack({', '.join(numbers)})"
            chunks = [row, *self._columns, *self._texts]
            if len(chunks) == 1:
                writer.line(f"return {row}")
            elif len(chunks) == 2 and isinstance(packed.texts[0].shape if packed.texts else None, Text):
                writer.line(f"return {row} + {self._texts[0]}")
            else:
                writer.line(f'return b"".join({python_tuple(chunks)})')
        return writer.lines

    def _refuse(self, condition: str) -> None:
        """Refuse a public value under a condition; internal ones are what they should be."""
        if self._public:
            with self._writer.block(f"if {condition}:"):
                self._writer.line("raise TypeError")

    def _refuse_mixed(self, values: str, cls: str, count: str) -> None:
        self._refuse(f"list(map(type, {values})).count({cls}) != {count}")

    def _value(self, place: Place, value: str) -> None:
        """Pack a value of the row."""
        line, part, name = self._writer.line, place.shape, f"v{place.number}"
        match part:
            case Flat(kind=Kind.BOOLEAN):
                self._refuse(f"{value} is not True and {value} is not False")
                self._leaves.append(value)
            case Flat(kind=kind):
                self._refuse(f"type({value}) is not {scalar_class(kind).__name__}")
                self._leaves.append(value)
            case Text():
                self._refuse(f"type({value}) is not str")
                line(f"{name}: bytes = {value}.encode()")
                self._leaves.append(f"len({name})")
                self._texts.append(name)
            case Bytes():
                self._refuse(f"type({value}) is not bytes")
                self._leaves.append(f"len({value})")
                self._texts.append(value)
            case List():
                (inner,) = place.parts
                self._refuse(f"type({value}) is not list")
                line(f"{name} = {value}[:]")
                line(f"n{place.number} = len({name})")
                self._leaves.append(f"n{place.number}")
                self._column(inner, name, f"n{place.number}")
            case Struct(id=index):
                names = [f"f{inner.number}" for inner in place.parts]
                if self._public:
                    self._refuse(f"type({value}) is not {self._values.record_class(index)}")
                    for target, attribute in zip(names, self._fields(part), strict=True):
                        line(f"{target} = {value}.{attribute}")
                elif names:
                    line(f"{python_tuple(names)} = {value}")
                for inner, target in zip(place.parts, names, strict=True):
                    self._value(inner, target)
            case _:
                assert_never(part)

    def _column(self, place: Place, values: str, count: str) -> None:
        """Pack all values of a place below an array."""
        line, part, number = self._writer.line, place.shape, place.number
        name = f"c{number}"
        match part:
            case Flat(kind=kind, layout=slot):
                self._refuse_mixed(values, scalar_class(kind).__name__, count)
                if kind is Kind.BOOLEAN:
                    line(f"{name} = bytes({values})")
                else:
                    line(f'{name} = {self._needs.standard("array")}("{slot.format}", {values})')
                self._put(place.content, name, f"{slot.size} * {count}" if slot.size > 1 else count)
            case Text():
                text, separator = f"u{number}", f"s{place.content}"
                line(f'{text} = "\\0".join({values})')
                line(f"{separator} = 0")
                with self._writer.block(f"if not {count}:"):
                    line(f'{name} = b""')
                with self._writer.block(f'elif {text}.count("\\0") == {count} - 1:'):
                    line(f'{name} = {text}.encode() + b"\\0"')
                with self._writer.block("else:"):
                    line(f"{separator} = {NO_TEXT}")
                    line(f"{name} = {_NO_TEXT}.join(map(str.encode, {values})) + {_NO_TEXT}")
                self._put(place.content, name, f"len({name})")
            case Bytes():
                self._refuse_mixed(values, "bytes", count)
                self._lengths(place, values, count)
                line(f'{name} = b"".join({values})')
                self._put(place.content, name, f"len({name})")
            case List():
                (inner,) = place.parts
                self._refuse_mixed(values, "list", count)
                self._lengths(place, values, count)
                line(f"{name} = list({self._needs.standard('chain')}.from_iterable({values}))")
                line(f"m{number} = len({name})")
                # check: fused lists that change
                self._refuse(f"sum(n{number}) != m{number}")
                self._column(inner, name, f"m{number}")
            case Struct(id=index):
                if self._public:
                    self._refuse_mixed(values, self._values.record_class(index), count)
                for position, (inner, attribute) in enumerate(zip(place.parts, self._fields(part), strict=True)):
                    taken = f"item.{attribute}" if self._public else f"item[{position}]"
                    line(f"f{inner.number} = [{taken} for item in {values}]")
                    self._column(inner, f"f{inner.number}", count)
            case _:
                assert_never(part)

    def _lengths(self, place: Place, values: str, count: str) -> None:
        name = f"n{place.number}"
        self._writer.line(f'{name} = {self._needs.standard("array")}("I", map(len, {values}))')
        self._put(place.counts, name, f"4 * {count}")

    def _put(self, column: int, data: str, extent: str) -> None:
        self._columns[column], self._extents[column] = data, extent


class _Unpack(_Function):
    def function(self, name: str) -> list[str]:
        writer, packed, needs = self._writer, self._packed, self._needs
        memory = needs.frame("staging_memory")
        made = self._values.annotation(packed.root.shape.type, public=self._public)
        with writer.block(f"def {name}(at: int) -> {made}:"):
            numbers = [f"n{place.number}" for place in packed.leaves]
            columns = range(len(packed.columns))
            extents = [f"e{column}" for column in columns]
            names = [*numbers, *extents, *(f"s{column}" for column in packed.separated)]
            unpack = f"{self._values.header(packed, self._key)}.unpack_from"
            with writer.block("try:"):
                writer.line(f"{python_tuple(names) if names else '_'} = {unpack}({memory}.view, at)")
            with writer.block(f"except {needs.standard('StructError')}:"):
                claimed = f"{memory}.claim(at, {packed.size})"
                writer.line(f"{python_tuple(names) if names else '_'} = {unpack}({claimed})")
            texts = [f"n{place.number}" for place in packed.texts]
            if extents or texts:
                writer.line(f"start = at + {packed.size}")
                # The block may be where nobody looked since the memory grew.
                writer.line(f"end = start + {' + '.join([*extents, *texts])}")
                writer.line(f"view = {memory}.view")
                with writer.block("if end > len(view):"):  # check: staging room that a result takes
                    writer.line(f"{memory}.require(at, end - at)")
                    writer.line(f"view = {memory}.view")
            for column in columns:
                writer.line(f"end = start + e{column}")
                writer.line(f"d{column} = view[start:end]")
                writer.line("start = end")
            value = self._value(packed.root)
            if self._public and isinstance(packed.root.shape, Struct):
                writer.line(f"made: {made} = {value}")
                value = "made"
            writer.line(f"return {value}")
        return writer.lines

    def _value(self, place: Place) -> str:
        """Write what makes a value of the row; returns the expression for it."""
        line, part, number = self._writer.line, place.shape, f"n{place.number}"
        match part:
            case Flat():
                return number
            case Text() | Bytes():
                line(f"end = start + {number}")
                made = 'str(view[start:end], "utf-8")' if isinstance(part, Text) else "bytes(view[start:end])"
                line(f"v{place.number} = {made}")
                line("start = end")
                return f"v{place.number}"
            case List():
                return self._column(place.parts[0], number)
            case Struct():
                return self._made(place, part, f"v{place.number}", [self._value(inner) for inner in place.parts])
            case _:
                assert_never(part)

    def _made(self, place: Place, part: Struct, name: str, parts: list[str]) -> str:
        """Write what makes a record of its fields."""
        if not self._public:
            return python_tuple(parts) if parts else "()"
        self._writer.line(f"{name} = {self._values.twin(part.id)}()")
        for attribute, inner in zip(self._fields(part), parts, strict=True):
            self._writer.line(f"{name}.{attribute} = {inner}")
        self._writer.line(f"{name}.__class__ = {self._values.record_class(part.id)}")
        return name

    def _column(self, place: Place, count: str) -> str:
        """Write what makes all values of a place below an array; returns the name of their list."""
        line, part, number = self._writer.line, place.shape, place.number
        name, data = f"v{number}", f"d{place.content}"
        with self._writer.block(f"if {count} > {MANY}:"):
            line(f"{self._meter()}.tick()")  # check: fused clock between columns
        match part:
            case Flat(kind=Kind.BOOLEAN):  # any byte but 0 is true
                line(f"{name} = list(map(bool, bytes({data})))")
            case Flat(layout=slot):
                line(f'{name} = {data}.cast("{slot.format}").tolist()')
            case Text():
                with self._writer.block(f"if not {count}:"):
                    line(f"{name}: list[str] = []")
                with self._writer.block(f"elif s{place.content}:"):
                    line(f"{name} = list(map(bytes.decode, bytes({data}[:-1]).split({_NO_TEXT})))")
                with self._writer.block("else:"):
                    line(f'{name} = str({data}[:-1], "utf-8").split("\\0")')
            case Bytes():
                line(f"b{number} = bytes({data})")
                self._lengths(place)
                line(f"w{number} = list({self._needs.standard('accumulate')}(m{number}))")
                line(f"{name} = [b{number}[e - n : e] for n, e in zip(m{number}, w{number}, strict=True)]")
            case List():
                (inner,) = place.parts
                self._lengths(place)
                line(f"t{number} = sum(m{number})")
                items = self._column(inner, f"t{number}")
                line(f"i{number} = iter({items})")
                line(f"{name} = [list({self._needs.standard('islice')}(i{number}, n)) for n in m{number}]")
            case Struct():
                columns = [self._column(inner, count) for inner in place.parts]
                self._records(place, part, name, columns, count)
            case _:
                assert_never(part)
        return name

    def _lengths(self, place: Place) -> None:
        self._writer.line(f'm{place.number} = d{place.counts}.cast("I").tolist()')

    def _records(self, place: Place, part: Struct, name: str, columns: list[str], count: str) -> None:
        line = self._writer.line
        if not columns:
            made = f"{self._values.record_class(part.id)}()" if self._public else "()"
            line(f"{name} = [{made} for _ in range({count})]")
            return
        rows = f"zip({', '.join(columns)}, strict=False)"
        if not self._public:
            line(f"{name} = list({rows})")
            return
        line(f"{name}: list[{self._any}] = []")
        items = [f"x{inner.number}" for inner in place.parts]
        with self._loop(python_tuple(items), rows, count):
            line(f"{name}.append({self._made(place, part, 'item', items)})")

    @contextmanager
    def _loop(self, target: str, rows: str, count: str) -> Iterator[None]:
        watched = f"{self._meter()}.watched(list({rows}))"
        with self._writer.block(f"for {target} in {watched} if {count} > {MANY} else {rows}:"):
            yield

    def _meter(self) -> str:
        return self._needs.binding(READY, "staged_meter", f"{self._needs.frame('staging_memory')}.meter")

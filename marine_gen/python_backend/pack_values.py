"""Functions that pack values, as Python: one per type, for public or internal values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from marine_gen.codegen.literals import python_tuple
from marine_gen.python_backend.packed_names import PackedFunction, PackedNames
from marine_runtime.abi import NO_TEXT, Bytes, Flat, Kind, List, Packing, Place, Struct, Text
from marine_runtime.values import scalar_class

_NO_TEXT = f'b"\\x{NO_TEXT:02x}"'


class Pack(PackedFunction):
    """Writes a function from a value to its packed bytes."""

    def __init__(self, values: PackedNames, packed: Packing, key: str, *, public: bool, level: int = 1) -> None:
        super().__init__(values, packed, key, public=public, level=level)
        self._leaves: list[str] = []
        self._texts: list[str] = []
        self._columns = [""] * len(packed.columns)
        self._extents = ["0"] * len(packed.columns)
        self._joined: set[int] = set()  # places whose strings are joined already

    def function(self, name: str) -> list[str]:
        writer = self._writer
        with writer.block(f"def {name}(value: {self._any}) -> {self._needs.standard('bytes')}:"):
            self._value(self._packed.root, "value")
            self._write_block()
        return writer.lines

    def _write_block(self) -> None:
        """Write the return of the block, whose parts are known."""
        packed = self._packed
        numbers = [*self._leaves, *self._extents, *(f"s{column}" for column in packed.separated)]
        row = f"{self._values.header(packed, self._key)}.pack({', '.join(numbers)})"
        chunks = [row, *self._columns, *self._texts]
        if len(chunks) == 1:
            self._writer.line(f"return {row}")
        elif len(chunks) == 2 and isinstance(packed.texts[0].shape if packed.texts else None, Text):
            self._writer.line(f"return {row} + {self._texts[0]}")
        else:
            self._writer.line(f'return b"".join({python_tuple(chunks)})')

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

    def _column(self, place: Place, values: str, count: str, *, checked: bool = False) -> None:
        """Pack all values of a place below an array. The classes of those that are `checked` are known to be right."""
        line, part, number = self._writer.line, place.shape, place.number
        name = f"c{number}"
        match part:
            case Flat(kind=kind, layout=slot):
                if not checked:
                    self._refuse_mixed(values, scalar_class(kind).__name__, count)
                if kind is Kind.BOOLEAN:
                    line(f"{name} = bytes({values})")
                else:
                    line(f'{name} = {self._needs.standard("array")}("{slot.format}")')
                    line(f"{name}.fromlist({values})")
                self._put(place.content, name, f"{slot.size} * {count}" if slot.size > 1 else count)
            case Text():
                text, separator = f"u{number}", f"s{place.content}"
                if number not in self._joined:
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
                if not checked:
                    self._refuse_mixed(values, "bytes", count)
                self._lengths(place, values, count)
                line(f'{name} = b"".join({values})')
                self._put(place.content, name, f"len({name})")
            case List():
                (inner,) = place.parts
                if not checked:
                    self._refuse_mixed(values, "list", count)
                self._lengths(place, values, count)
                line(f"{name} = list({self._needs.standard('chain')}.from_iterable({values}))")
                line(f"m{number} = len({name})")
                # check: fused lists that change
                self._refuse(f"sum(n{number}) != m{number}")
                self._column(inner, name, f"m{number}")
            case Struct():
                fields = list(_fields_within(place))
                for inner in fields:
                    line(f"f{inner.number}: list[{self._any}] = []")
                # One loop: to begin one takes as long as it takes for ten records.
                with self._writer.block(f"for x{number} in {values}:"):
                    self._take(place, f"x{number}")
                for inner in fields:
                    self._column(inner, f"f{inner.number}", count, checked=True)
            case _:
                assert_never(part)

    def _take(self, place: Place, value: str) -> None:
        """Put one value of a column of records into the lists of its fields."""
        line, part, number = self._writer.line, place.shape, place.number
        match part:
            case Flat(kind=Kind.BOOLEAN):
                self._refuse(f"{value} is not True and {value} is not False")
            case Flat(kind=kind):
                self._refuse(f"type({value}) is not {scalar_class(kind).__name__}")
            case Text():  # `join` looks at them
                pass
            case Bytes():
                self._refuse(f"type({value}) is not bytes")
            case List():
                self._refuse(f"type({value}) is not list")
            case Struct(id=index):
                names = [f"x{inner.number}" for inner in place.parts]
                if self._public:
                    self._refuse(f"type({value}) is not {self._values.record_class(index)}")
                    for target, attribute in zip(names, self._fields(part), strict=True):
                        line(f"{target} = {value}.{attribute}")
                else:
                    line(f"{python_tuple(names) if names else '()'} = {value}")
                for inner, target in zip(place.parts, names, strict=True):
                    self._take(inner, target)
                return
            case _:
                assert_never(part)
        line(f"f{number}.append({value})")

    def _lengths(self, place: Place, values: str, count: str) -> None:
        name = f"n{place.number}"
        self._writer.line(f'{name} = {self._needs.standard("array")}("I", map(len, {values}))')
        self._put(place.counts, name, f"4 * {count}")

    def _put(self, column: int, data: str, extent: str) -> None:
        self._columns[column], self._extents[column] = data, extent


def _fields_within(place: Place) -> Iterator[Place]:
    """The places below a record that are none themselves, in their order."""
    for inner in place.parts:
        if isinstance(inner.shape, Struct):
            yield from _fields_within(inner)
        else:
            yield inner

"""Functions that unpack values, as Python: one per type, for public or internal values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from marine_gen.codegen.literals import python_sum, python_tuple
from marine_gen.python_backend.needs import READY
from marine_gen.python_backend.packed_names import PackedFunction
from marine_runtime.abi import NO_TEXT, Bytes, Flat, Kind, List, Place, Struct, Text
from marine_runtime.wasm import MANY

_NO_TEXT = f'b"\\x{NO_TEXT:02x}"'


_SHORT = 4096
"""Bytes of the text of a row that are copied at once; more would be copied twice."""


class Unpack(PackedFunction):
    """Writes a function from the address of a packed value in staging to the value."""

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
            if extents or packed.texts:
                writer.line(f"b0 = at + {packed.size}")
                for column in columns:
                    writer.line(f"b{column + 1} = b{column} + e{column}")
                # The block may be where nobody looked since the memory grew.
                text = python_sum([f"n{place.number}" for place in packed.texts])
                writer.line(f"end = b{len(columns)}{f' + {text}' if text else ''}")
                writer.line(f"view = {memory}.view")
                with writer.block("if end > len(view):"):  # check: staging room that a result takes
                    writer.line(f"{memory}.require(at, end - at)")
                    writer.line(f"view = {memory}.view")
                self._texts(f"b{len(columns)}")
            value = self._value(packed.root)
            if self._public and isinstance(packed.root.shape, Struct):
                writer.line(f"made: {made} = {value}")
                value = "made"
            writer.line(f"return {value}")
        return writer.lines

    def _texts(self, start: str) -> None:
        """Write what makes the strings and byte arrays of the row, whose text begins at `start`."""
        line, texts = self._writer.line, self._packed.texts
        if len(texts) < 2:
            for place in texts:
                data = f"view[{start}:end]"
                is_text = isinstance(place.shape, Text)
                line(f"v{place.number} = {_text_of(data, f'n{place.number}') if is_text else f'bytes({data})'}")
            return
        # One string, taken apart, is made in less time than many out of the view.
        line("plain = False")
        line(f"data: {self._needs.standard('bytes')} | memoryview = view[{start}:end]")
        with self._writer.block(f"if end - {start} <= {_SHORT}:"):
            line(f"data = {self._needs.standard('bytes')}(data)")
            line("plain = data.isascii()")
        parts, before = [], ""
        for place in texts[:-1]:
            line(f"i{place.number} = {before}{' + ' if before else ''}n{place.number}")
            parts.append(f"[{before}:i{place.number}]")
            before = f"i{place.number}"
        parts.append(f"[{before}:]")
        with self._writer.block("if plain:"):
            line('text = str(data, "ascii")')
            for place, part in zip(texts, parts, strict=True):
                source = "text" if isinstance(place.shape, Text) else "data"
                line(f"v{place.number} = {source}{part}")
        with self._writer.block("else:"):
            for place, part in zip(texts, parts, strict=True):
                line(f"v{place.number} = {_made_of(place, f'data{part}')}")

    def _value(self, place: Place) -> str:
        """Write what makes a value of the row; returns the expression for it."""
        line, part, number = self._writer.line, place.shape, f"n{place.number}"
        match part:
            case Flat():
                return number
            case Text() | Bytes():
                return f"v{place.number}"
            case List():
                with self._writer.block(f"if {number}:"):
                    items = self._column(place.parts[0], number)
                with self._writer.block("else:"):
                    line(f"{items} = []")
                return items
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
        name, data = f"v{number}", _column_of(place.content)
        if not isinstance(part, Struct) or not place.parts:
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
                    line(f"{name} = list(map(bytes.decode, bytes({data})[:-1].split({_NO_TEXT})))")
                with self._writer.block("else:"):
                    at = place.content
                    line(f"text{number} = {_text_of(f'view[b{at} : b{at + 1} - 1]', f'e{at}')}")
                    line(f'{name} = text{number}.split("\\0")')
            case Bytes():
                line(f"joined{number} = bytes({data})")
                self._lengths(place)
                line(f"w{number} = list({self._needs.standard('accumulate')}(m{number}))")
                line(f"{name} = [joined{number}[e - n : e] for n, e in zip(m{number}, w{number}, strict=True)]")
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
        self._writer.line(f'm{place.number} = {_column_of(place.counts)}.cast("I").tolist()')

    def _records(self, place: Place, part: Struct, name: str, columns: list[str], count: str) -> None:
        line = self._writer.line
        if not columns:
            made = f"{self._values.record_class(part.id)}()" if self._public else "()"
            line(f"{name} = [{made} for _ in range({count})]")
            return
        rows = f"zip({', '.join(columns)})"  # a keyword takes as long as all the rest of a short array
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


def _column_of(column: int) -> str:
    """The bytes of a column."""
    return f"view[b{column} : b{column + 1}]"


def _made_of(place: Place, data: str) -> str:
    """The string or the byte array of its bytes."""
    return f'str({data}, "utf-8")' if isinstance(place.shape, Text) else f"bytes({data})"


def _text_of(data: str, size: str) -> str:
    """The string of its bytes. Two copies of a short one take less time than one through a buffer."""
    return f'{data}.tobytes().decode() if {size} <= {_SHORT} else str({data}, "utf-8")'

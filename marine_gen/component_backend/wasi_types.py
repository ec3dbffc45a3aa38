"""Types of imported WASI interfaces, in binary form, declaration by declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marine_gen.component_backend.binary import Item, Sort, external_name, name, vector
from marine_gen.component_backend.types import reference
from marine_gen.wasm.reader import write_u32

BOOL, U8, U32, U64, STRING = b"\x7f", b"\x7d", b"\x79", b"\x77", b"\x73"
"""Primitive value types."""


class InstanceType:
    """The type of an instance. Every method that makes a type returns it as a value type, to be used in others."""

    def __init__(self) -> None:
        self._declarations: list[bytes] = []
        self._types = 0
        self._handles: dict[bytes, bytes] = {}

    def encoded(self) -> bytes:
        """The type."""
        return b"\x42" + vector(self._declarations)

    def resource(self, text: str) -> bytes:
        """An exported resource type."""
        self._declarations.append(b"\4" + external_name(text) + b"\3\1")
        return self._next()

    def outer(self, text: str, ty: Item) -> bytes:
        """A type of the component around, exported under a name."""
        self._declarations.append(b"\2" + bytes([Sort.TYPE.value, 2]) + write_u32(1) + write_u32(ty.index))
        return self._named(text, self._next())

    def record(self, text: str, fields: Mapping[str, bytes]) -> bytes:
        """An exported record."""
        return self._named(text, self._type(b"\x72" + vector([name(field) + ty for field, ty in fields.items()])))

    def variant(self, text: str, cases: Mapping[str, bytes | None]) -> bytes:
        """An exported variant, whose cases may have a value each."""
        encoded = [name(case) + (b"\0" if ty is None else b"\1" + ty) + b"\0" for case, ty in cases.items()]
        return self._named(text, self._type(b"\x71" + vector(encoded)))

    def enum(self, text: str, cases: Sequence[str]) -> bytes:
        """An exported enumeration."""
        return self._named(text, self._type(b"\x6d" + vector([*map(name, cases)])))

    def flags(self, text: str, names: Sequence[str]) -> bytes:
        """Exported flags."""
        return self._named(text, self._type(b"\x6e" + vector([*map(name, names)])))

    def list(self, element: bytes) -> bytes:
        """A list."""
        return self._type(b"\x70" + element)

    def tuple(self, *elements: bytes) -> bytes:
        """A tuple."""
        return self._type(b"\x6f" + vector([*elements]))

    def option(self, value: bytes) -> bytes:
        """An optional value."""
        return self._type(b"\x6b" + value)

    def result(self, value: bytes | None, error: bytes | None) -> bytes:
        """A value or an error, either of which may be nothing."""
        return self._type(b"\x6a" + b"".join(b"\0" if ty is None else b"\1" + ty for ty in (value, error)))

    def own(self, resource: bytes) -> bytes:
        """A handle that is given away."""
        return self._handle(b"\x69" + resource)

    def borrow(self, resource: bytes) -> bytes:
        """A handle that is lent for a call."""
        return self._handle(b"\x68" + resource)

    def function(self, text: str, params: Mapping[str, bytes], result: bytes | None) -> None:
        """An exported function."""
        given = vector([name(param) + ty for param, ty in params.items()])
        self._type(b"\x40" + given + (b"\1\0" if result is None else b"\0" + result))
        self._declarations.append(b"\4" + external_name(text) + b"\1" + write_u32(self._types - 1))

    def _handle(self, content: bytes) -> bytes:
        if content not in self._handles:
            self._handles[content] = self._type(content)
        return self._handles[content]

    def _type(self, content: bytes) -> bytes:
        self._declarations.append(b"\1" + content)
        return self._next()

    def _named(self, text: str, ty: bytes) -> bytes:
        self._declarations.append(b"\4" + external_name(text) + b"\3\0" + ty)
        return self._next()

    def _next(self) -> bytes:
        self._types += 1
        return reference(self._types - 1)  # it is read as an unsigned number too

"""Lifting, written a second time: from the bytes of a memory to a value, or to the news that it is none.

It is slow and knows nothing of engines. It follows the memory layout of docs/spec/memory.md: packed,
little-endian, records behind pointers, arrays as pointer and count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marine_gen.generate import Named, RecordDeclaration, Type, Vector
from marine_runtime.types import Prim

_NUMBERS = {Prim.U8: 1, Prim.U16: 2, Prim.U32: 4, Prim.U64: 8}
DEEPEST = 128


class NoValueError(Exception):
    """The bytes are no value of that type."""


class Oracle:
    """Lifts from one memory."""

    def __init__(self, memory: bytes, records: Mapping[str, RecordDeclaration]) -> None:
        self._memory = memory
        self._records = records

    def lift(self, ty: Type, ptr: int, size: int, depth: int = 0) -> Any:
        """The value of type `ty` at `ptr`; `size` is its length or count, and means nothing for a record."""
        if isinstance(ty, Named):
            return self._record(ty, ptr, depth)
        if ty is Prim.STRING:
            try:
                return self._bytes(ptr, size).decode()
            except UnicodeDecodeError:
                raise NoValueError from None
        assert isinstance(ty, Vector)
        if ty.element is Prim.U8:
            return self._bytes(ptr, size)
        width = self._width(ty.element)
        self._bytes(ptr, width * size)
        return [self._slot(ty.element, ptr + width * index, depth) for index in range(size)]

    def _bytes(self, ptr: int, size: int) -> bytes:
        if not size:
            return b""
        if ptr + size > len(self._memory):
            raise NoValueError
        return self._memory[ptr : ptr + size]

    def _record(self, ty: Named, ptr: int, depth: int) -> tuple[Any, ...]:
        fields = self._records[ty.name].fields or ()
        if depth >= DEEPEST:
            raise NoValueError
        self._bytes(ptr, sum(self._width(field.type) for field in fields))
        values = []
        for field in fields:
            values.append(self._slot(field.type, ptr, depth + 1))
            ptr += self._width(field.type)
        return tuple(values)

    @staticmethod
    def _width(ty: Type) -> int:
        if isinstance(ty, Named):
            return 4
        if ty is Prim.BOOLEAN:
            return 1
        return _NUMBERS[ty] if isinstance(ty, Prim) and ty in _NUMBERS else 8

    def _word(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self._memory[at : at + size], "little")

    def _slot(self, ty: Type, at: int, depth: int) -> Any:
        if ty is Prim.BOOLEAN:
            return self._word(at, 1) != 0
        if isinstance(ty, Prim) and ty in _NUMBERS:
            return self._word(at, _NUMBERS[ty])
        return self.lift(ty, self._word(at), self._word(at + 4), depth)

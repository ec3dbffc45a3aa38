"""The encodings of a Wasm binary, as far as the runtime reads them.

Only valid modules come here: Wasmtime has compiled them.
"""

from __future__ import annotations

from collections.abc import Iterator

_VALUE_TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}
_OTHER_REFERENCE = "ref"
_TYPED_REFERENCES = (0x63, 0x64)
_HAS_MAXIMUM, _IS_64_BIT, _HAS_PAGE_SIZE = 0x01, 0x04, 0x08

_WITH_INITIALISER, _END = 0x40, 0x0B
_NUMBERS = {0x41: 1, 0x42: 1, 0x23: 1, 0xD0: 1, 0xD2: 1}  # constants, global.get, ref.null, ref.func
_BYTES = {0x43: 4, 0x44: 8}  # f32.const, f64.const
_OF_GC = {0: 1, 1: 1, 6: 1, 7: 1, 8: 2}  # struct.new, array.new and the like; conversions have no immediate
_GC, _VECTOR, _VECTOR_BYTES = 0xFB, 0xFD, 16


class Cursor:
    """A place in the bytes that moves on with each reading."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def byte(self) -> int:
        """One byte."""
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """An unsigned LEB128 number; a signed one has as many bytes."""
        data, at = self.data, self.at
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                self.at = at
                return value

    def name(self) -> str:
        """A length and that many bytes of UTF-8."""
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def value_type(self) -> str:
        """The name of a value type; `ref` for most references."""
        form = self.byte()
        if form not in _TYPED_REFERENCES:
            return _VALUE_TYPES.get(form, _OTHER_REFERENCE)
        self.number()
        return _OTHER_REFERENCE

    def limits(self) -> tuple[int, int | None, bool]:
        """Minimum, maximum, and whether addresses have 64 bits."""
        flags, minimum = self.byte(), self.number()
        maximum = self.number() if flags & _HAS_MAXIMUM else None
        if flags & _HAS_PAGE_SIZE:
            self.number()
        return minimum, maximum, bool(flags & _IS_64_BIT)

    def table(self) -> tuple[str, int, int | None]:
        """The element type of a table, its minimum and its maximum; an initialiser is skipped."""
        initialised = self.data[self.at] == _WITH_INITIALISER
        self.at += 2 if initialised else 0
        element = self.value_type()
        minimum, maximum, _ = self.limits()
        if initialised:
            self._skip_constant()
        return element, minimum, maximum

    def _skip_constant(self) -> None:
        """Go behind a constant expression."""
        while (opcode := self.byte()) != _END:
            numbers = _NUMBERS.get(opcode, 0)
            if opcode == _GC:
                numbers = _OF_GC.get(self.number(), 0)
            elif opcode == _VECTOR:
                self.number()
                self.at += _VECTOR_BYTES
            self.at += _BYTES.get(opcode, 0)
            for _ in range(numbers):
                self.number()


def sections(wasm: bytes) -> Iterator[tuple[int, Cursor]]:
    """The number of each section, and its content."""
    cursor = Cursor(wasm, 8)
    while cursor.at < len(wasm):
        kind, size = cursor.byte(), cursor.number()
        yield kind, Cursor(wasm, cursor.at)
        cursor.at += size

"""A cursor over Wasm bytes that keeps its position for errors.

It reads the primitive encodings of core Wasm, and those strictly: a LEB128 number has at most the bytes that its type
allows, and no bits beyond the type. It does not know what a section contains.
"""

from __future__ import annotations

from typing import NoReturn

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_runtime.texts import are, counted


class Reader:
    """Reads `data[position:end]`; all offsets are offsets in the file.

    Attributes:
        within: the item that is read, for errors, as in "the type section".
        code: the code of the errors raised.
    """

    __slots__ = ("code", "data", "end", "position", "within")

    def __init__(self, data: bytes, position: int, end: int, within: str, code: Code) -> None:
        self.data = data
        self.position = position
        self.end = end
        self.within = within
        self.code = code

    @property
    def exhausted(self) -> bool:
        """True if everything was read."""
        return self.position >= self.end

    def fail(self, message: str, offset: int | None = None) -> NoReturn:
        """Raise a diagnostic at `offset`, or at the current position."""
        span = SourceSpan(offset=self.position if offset is None else offset)
        raise DiagnosticError([Diagnostic(self.code, message, span=span, within=self.within)])

    def byte(self, what: str) -> int:
        """One byte."""
        if self.position >= self.end:
            self.fail(f"the bytes end where {what} should be")
        value = self.data[self.position]
        self.position += 1
        return value

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes."""
        left = self.end - self.position
        if size > left:
            self.fail(f"{what} needs {counted(size, 'byte')}, but {left} {are(left)} left")
        start = self.position
        self.position += size
        return self.data[start : self.position]

    def u32(self, what: str) -> int:
        """An unsigned LEB128 number of 32 bits."""
        return self._leb(what, 32, signed=False)

    def u64(self, what: str) -> int:
        """An unsigned LEB128 number of 64 bits."""
        return self._leb(what, 64, signed=False)

    def s33(self, what: str) -> int:
        """A signed LEB128 number of 33 bits, which is how heap types are written."""
        return self._leb(what, 33, signed=True)

    def signed(self, what: str, bits: int) -> int:
        """A signed LEB128 number of so many bits."""
        return self._leb(what, bits, signed=True)

    def name(self, what: str) -> str:
        """A length and that many bytes of UTF-8."""
        start = self.position
        size = self.u32(f"the length of {what}")
        try:
            return self.take(size, what).decode()
        except UnicodeDecodeError:
            self.fail(f"{what} is not UTF-8", start)

    def finish(self) -> None:
        """Insist that everything was read."""
        if self.position < self.end:
            self.fail(f"trailing bytes: {self.end - self.position}")

    def _leb(self, what: str, bits: int, *, signed: bool) -> int:
        start = self.position
        value = shift = 0
        while True:
            byte = self.byte(what)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift >= bits:
                self.fail(f"{what} is longer than a LEB128 number of {bits} bits may be", start)
        if signed and value >> (shift - 1):
            value -= 1 << shift
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        if not low <= value <= high:
            self.fail(f"{what} does not fit {bits} bits", start)
        return value


def write_u32(value: int) -> bytes:
    """`value` as the shortest unsigned LEB128 number."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)

"""Bodies of Wasm functions while they are written: their locals, and the room that is left in them.

What a body handles in place costs no call, and no check for interruption where a function begins; but code grows with
it. So a body has room for a fixed number of parts (strings, byte arrays, arrays, records), and calls the shared
function of a part's type when that is used up.
"""

from __future__ import annotations

from typing import assert_never

from marine_gen.codegen.writer import WAT, Writer
from marine_gen.wasm_backend.expressions import get
from marine_runtime.abi import Bytes, Flat, List, Shape, Struct, Text, record_body
from marine_runtime.types import Records

ROOM = 64
"""The parts that an adapter checks, copies or allocates in place."""

SHARED_ROOM = 12
"""The same for the shared function of a type, which may be that of an element of an array."""


class FunctionCode(Writer):
    """The body of one function."""

    def __init__(self, room: int = SHARED_ROOM, level: int = 2) -> None:
        super().__init__(WAT, level)
        self.room = room
        self.locals: list[str] = []
        self._numbers: dict[str, int] = {}

    def _numbered(self, hint: str) -> str:
        number = self._numbers[hint] = self._numbers.get(hint, 0) + 1
        return f"{hint}.{number}"

    def local(self, hint: str, ty: str = "i32") -> str:
        """Declare a local; its name, without the sigil."""
        name = self._numbered(hint)
        self.declare(name, ty)
        return name

    def declare(self, name: str, ty: str = "i32") -> None:
        """Declare a local of that name."""
        self.locals.append(f"(local ${name} {ty})")

    def declare_all(self, out: Writer) -> None:
        """Write the declarations of the locals, several in a line."""
        for start in range(0, len(self.locals), _DECLARED):
            out.line(" ".join(self.locals[start : start + _DECLARED]))

    def label(self, hint: str) -> str:
        """A label that nothing else in the body has, with the sigil."""
        return f"${self._numbered(hint)}"

    def keep(self, hint: str, text: str, ty: str = "i32") -> str:
        """Put the value of `text` into a new local; the expression that reads it."""
        name = self.local(hint, ty)
        self.line(f"(local.set ${name} {text})")
        return get(name)

    def takes(self, part: Shape, records: Records) -> bool:
        """True if the whole of a part may be handled in place."""
        return self.room > 0 and _weight(part, records, self.room) <= self.room

    def spend(self, parts: int = 1) -> None:
        """Take the room of this number of parts."""
        self.room -= parts

    def function(self, name: str, signature: str = "") -> list[str]:
        """The lines of the function with this body."""
        out = Writer(WAT, 1)
        with out.block(f"func ${name}{signature}"):
            self.declare_all(out)
            out.lines += self.lines
        return out.lines


_DECLARED = 6  # locals in a line


def is_walked(part: Shape) -> bool:
    """True for arrays whose elements lie out of line: those are handled one by one, in a function of their own."""
    return isinstance(part, List) and not isinstance(part.element, Flat)


def _weight(part: Shape, records: Records, most: int) -> int:
    """The parts that a part has when it is handled in place; counting stops above `most`."""
    match part:
        case Flat():
            return 0
        case Text() | Bytes() | List():
            return 1
        case Struct():
            total = 1
            for cell in record_body(records[part.id]).cells:
                if total > most:
                    break
                total += _weight(cell.shape, records, most - total)
            return total
        case _:
            assert_never(part)

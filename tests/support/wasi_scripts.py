"""Scripts of WASI calls that a guest plays by itself, so that one call of its function `play` does everything.

A host that has no programs around its calls, such as the Wasmtime CLI, can run a script; and what comes back is the
same in every host. Descriptors and addresses are known in advance: descriptors are the lowest free ones.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from marine_runtime.wasi.functions import FUNCTIONS, PREVIEW1
from tests.support.wasi import END, PEEK, POKE, ROOM, SWEEP

_STEP = struct.Struct("<10Q")
_NUMBERS = {name: number for number, name in enumerate(FUNCTIONS[PREVIEW1])}
_MASK = 2**64 - 1
PATH, PATH_2, BUFFER, FOUND, PIECES = ROOM, ROOM + 0x400, ROOM + 0x1000, ROOM + 0x800, ROOM + 0x900
"""Addresses at which scripts keep a path, a second one, what is read, a function's number, and an array of buffers."""

READING = 0x1FFFFFFF & ~(1 << 6)
WRITING = 0x1FFFFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a script: what was tried, and its error number, or the bytes that were looked at."""

    title: str
    content: int | bytes


class Script:
    """A script, as it is written; a title stands for all steps that follow it."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, ...]] = []
        self._data = b""
        self._answers: list[tuple[str, int]] = []  # with the size of what is looked at, 0 for an error number
        self.title = ""

    def call(self, name: str, *arguments: int) -> None:
        """Call a WASI function."""
        self._steps.append((_NUMBERS[name], *arguments))
        self._answers.append((f"{self.title}: {name}", 0))

    def sweep(self, which: int, first: int, last: int) -> None:
        """Count the descriptors of a range that a function does not refuse."""
        self._steps.append((SWEEP, which, first, last))
        self._answers.append((f"{self.title}: sweep {which} from {first}", 0))

    def poke(self, at: int, data: bytes) -> None:
        """Write to the guest's memory."""
        self._steps.append((POKE, at, len(self._data), len(data)))
        self._data += data

    def peek(self, at: int, size: int) -> None:
        """Have some of the guest's memory among the answers."""
        self._steps.append((PEEK, at, size))
        self._answers.append((f"{self.title}: memory", size))

    def path(self, text: str, at: int = PATH) -> tuple[int, int]:
        """A path in memory: address and length."""
        data = text.encode()
        self.poke(at, data)
        return at, len(data)

    def open(self, directory: int, path: str, oflags: int = 0, *, write: bool = False, follow: int = 1) -> None:
        """Open a file or directory."""
        rights = WRITING if write else READING
        self.call("path_open", directory, follow, *self.path(path), oflags, rights, rights, 0, FOUND)

    def read(self, fd: int, size: int = 64) -> None:
        """Read from a descriptor, and look at what came."""
        self.poke(BUFFER, bytes(size))
        self.poke(PIECES, struct.pack("<II", BUFFER, size))
        self.call("fd_read", fd, PIECES, 1, FOUND)
        self.peek(BUFFER, size)

    def write(self, fd: int, data: bytes) -> None:
        """Write to a descriptor."""
        self.poke(BUFFER, data)
        self.poke(PIECES, struct.pack("<II", BUFFER, len(data)))
        self.call("fd_write", fd, PIECES, 1, FOUND)

    def encoded(self) -> bytes:
        """The argument of `play`."""
        head = _STEP.size * (len(self._steps) + 1)
        steps = b""
        for step in (*self._steps, (END,)):
            code, *arguments = step
            if code == POKE:
                arguments[1] += head
            padded = [argument & _MASK for argument in arguments] + [0] * (9 - len(arguments))
            steps += _STEP.pack(code, *padded)
        return steps + self._data

    def answers(self, output: bytes) -> list[Answer]:
        """The answers in the result of `play`."""
        found, at = [], 0
        for title, size in self._answers:
            content: int | bytes = output[at : at + size] if size else struct.unpack_from("<I", output, at)[0]
            found.append(Answer(title, content))
            at += size or 4
        assert at == len(output)
        return found

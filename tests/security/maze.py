"""Values that guests should not have: parts that lie outside, counts that overflow, graphs that share their parts.

They are data of the liar's first page, made once; `MAZE.entries` has where each begins and how long it says that it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

START, END = 1024, 0x10000
ZEROS, ZEROS_SIZE = 0x10000, 0x10000
"""The liar's second page: before blocks are used, 64 KiB of zero bytes, which are UTF-8."""


@dataclass(slots=True)
class Maze:
    """A region of memory that is filled from its start.

    Attributes:
        entries: (address, length) by `TYPE.title`.
    """

    blob: bytearray = field(default_factory=bytearray)
    entries: dict[str, tuple[int, int]] = field(default_factory=dict)

    def put(self, data: bytes) -> int:
        """Append `data`; gives its address."""
        at = START + len(self.blob)
        self.blob += data
        assert START + len(self.blob) <= END
        return at

    def words(self, *numbers: int) -> int:
        """Append 32-bit numbers; gives their address."""
        return self.put(struct.pack(f"<{len(numbers)}I", *numbers))

    def name(self, title: str, ptr: int, size: int = 0) -> None:
        """Make (ptr, size) an entry."""
        self.entries[title] = ptr, size

    def data(self) -> str:
        """The data segment of the Wasm text format."""
        text = "".join(f"\\{byte:02x}" for byte in self.blob)
        return f'(data (i32.const {START}) "{text}")'


def _outside(maze: Maze) -> None:
    """The fault is the last thing that is looked at."""
    good = maze.put(b"good")
    bad = maze.put(b"ab\xff")
    slots = (good, 4) * 3
    for title, ptr, size in (
        ("end", 0xFFFFFFFC, 8),
        ("size", good, 0xFFFFFFFF),
        ("both", 0xFFFFFFFF, 0xFFFFFFFF),
        ("sign", 0x80000000, 1),
        ("utf8", bad, 3),
        # A character that goes on behind the end of the string.
        ("cut", maze.put(b"ok\xc3\xbc"), 3),
    ):
        maze.name(f"texts.{title}", maze.words(*slots, ptr, size), 4)
        body = maze.put(struct.pack("<BII", 7, ptr, size))
        whole = maze.put(struct.pack("<BII", 7, good, 4))
        maze.name(f"pair.{title}", body)
        maze.name(f"pairs.{title}", maze.words(whole, whole, body), 3)
        maze.name(f"twin.{title}", maze.words(whole, body))
    maze.name("pairs.address", maze.words(maze.words(0), 0xFFFFFFFE), 2)
    maze.name("specks.address", maze.words(good, 0x1FFFF, 0x20000), 3)
    maze.name("twin.address", maze.words(0x7FFFFFFF, 0x80000000))


def _overflow(maze: Maze) -> None:
    """The number of bytes is small, or zero, in 32 bits."""
    for count in (0x20000000, 0x20000001, 0x40000000, 0x80000000, 0xFFFFFFFF):
        for title in ("text", "bytes", "numbers", "flags", "texts", "grid", "pairs", "specks"):
            maze.name(f"{title}.count {count:#x}", START, count)
        maze.name(f"grid.inner {count:#x}", maze.words(START, 1, START, count), 2)
        maze.name(f"node.count {count:#x}", maze.words(START, count))


def _nodes(maze: Maze, levels: int, fan: int) -> int:
    """A chain of nodes in which each has the next one as a child `fan` times."""
    body = maze.words(0, 0)
    for _ in range(levels):
        body = maze.words(maze.words(*[body] * fan), fan)
    return body


def _shared(maze: Maze) -> None:
    """Small in memory, large as values."""
    maze.name("texts.shared", maze.words(*(ZEROS, ZEROS_SIZE) * 1000), 1000)
    small = maze.put(b"x")
    row = maze.words(*(small, 1) * 700)
    maze.name("grid.shared", maze.words(*(row, 700) * 1400), 1400)
    body = maze.put(struct.pack("<BII", 1, ZEROS, ZEROS_SIZE))
    maze.name("pairs.shared", maze.words(*[body] * 2000), 2000)
    maze.name("twin.shared", maze.words(body, body))
    maze.name("node.doubling", _nodes(maze, 100, 2))
    maze.name("node.deep", _nodes(maze, 140, 1))
    maze.name("node.deepest", _nodes(maze, 127, 1))  # 128 records inside each other: as many as may be
    maze.name("node.too deep", _nodes(maze, 128, 1))
    knot = START + len(maze.blob)
    maze.words(knot + 8, 3, knot, knot, knot)
    maze.name("node.knot", knot)


def _make() -> Maze:
    maze = Maze()
    _outside(maze)
    _overflow(maze)
    _shared(maze)
    return maze


MAZE = _make()
"""The maze of the liar."""

"""How much one value may add up to, and how long making it may take.

A copy of a value is a tree, but in the guest's memory it need not be one: many pointers may lead to one part. So some
hundred bytes can stand for a copy that would never end. Each part inside a value (string, byte array, array, record) is
counted with its own bytes and `PART` more (`abi.layout.cost`). A value whose parts do not overlap stays below `FACTOR`
times the memory that it lies in: the worst is a record of one byte behind a pointer of 4 bytes. Anything beyond that
shares its parts, which is allowed up to `FLOOR`.

While a value is made in Python, Wasm does not run, and nothing else would notice that the time of a call is up. So the
clock is looked at whenever another `STEP` was counted.

Generated Python counts in `left` itself, and generated Wasm has the same sums in a counter of its own. The root of a
value is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TypeVar

from marine_runtime.abi.layout import PART
from marine_runtime.errors import ValueLimitError
from marine_runtime.wasm.api import Memory
from marine_runtime.wasm.traps import Parking, timed_out

FACTOR = 5
FLOOR = 1 << 20
STEP = 1 << 16

MANY = 1024
"""Elements of an array that are made without a look at the clock."""

_Item = TypeVar("_Item")


class Meter:
    """Counts the parts of the value that is lifted from one memory.

    Attributes:
        left: what may be counted before `more` has to be asked.
        granted: what was allowed so far; a lift begins with both at `STEP`.
    """

    __slots__ = ("_memory", "_parking", "granted", "left")

    def __init__(self, memory: Memory, parking: Parking) -> None:
        self._memory = memory
        self._parking = parking
        self.left = self.granted = STEP

    def start(self) -> None:
        """A value is lifted."""
        self.left = self.granted = STEP

    def pay(self, size: int) -> None:
        """Count a part of `size` bytes; raises like `more`."""
        self.left -= size + PART
        if self.left < 0:
            self.more()

    def more(self) -> None:
        """Allow the next step.

        Raises:
            ValueLimitError: the parts add up to more than the limit.
            CallTimeoutError: the time of the call is up.
        """
        self.tick()
        self._memory.refresh()
        limit = max(FLOOR, FACTOR * len(self._memory.view))
        step = min(limit - self.granted, max(STEP, -self.left))
        self.granted += step
        self.left += step
        if self.left < 0:
            raise ValueLimitError(
                f"the parts of the value add up to more than {limit} bytes, which can only be when they overlap"
            )

    def tick(self) -> None:
        """Raise CallTimeoutError when the time of the call is up."""
        parking = self._parking
        if parking.deadline is not None and parking.timeout is not None and monotonic() > parking.deadline:
            raise timed_out(parking.timeout)

    def watched(self, items: list[_Item]) -> Iterator[_Item]:
        """`items`, with a look at the clock now and then."""
        for at in range(0, len(items), MANY):
            self.tick()
            yield from items[at : at + MANY]

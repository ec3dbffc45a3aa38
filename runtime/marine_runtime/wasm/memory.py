"""The linear memory of an instance, and the meter of the values that are lifted from it.

The meter limits how much one value may add up to, and how long making it may take.

A copy of a value is a tree, but in the guest's memory it need not be one: many pointers may lead to one part. So a few
hundred bytes can describe a copy that would never end. Each part inside a value (string, byte array, array, record) is
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

from marine_runtime.abi.measures import PART
from marine_runtime.errors import CallError, ValueLimitError
from marine_runtime.lazy.typing import TypeVar
from marine_runtime.texts.messages import are, counted
from marine_runtime.wasm.traps import Parking

FACTOR = 5
FLOOR = 1 << 20
STEP = 1 << 16

MANY = 1024
"""Elements of an array that are made without a look at the clock."""

_Item = TypeVar("_Item")


class Memory:
    """The linear memory of one instance.

    `view` covers at least the bytes known to exist. Wasm memory never shrinks, so whatever the view admits is valid,
    and only an access beyond it has to ask for the current size (`claim`). The layers keep `memory_may_move` off, so
    the base stays put while the store lives.

    Attributes:
        meter: counts what is lifted from it.
    """

    __slots__ = ("meter", "view")

    view: memoryview
    meter: Meter

    def refresh(self) -> None:
        """Make `view` cover the memory as it is now."""
        raise NotImplementedError

    def claim(self, ptr: int, size: int) -> memoryview:
        """The `size` bytes at `ptr`, both unsigned, after asking for the current memory size.

        A range that ends exactly at the end of memory is valid.

        Raises:
            CallError: the range is not inside the memory.
        """
        self.refresh()
        view = self.view
        if ptr + size > len(view):  # check: wasm bounds of a claim
            raise out_of_bounds(ptr, size, len(view))
        return view[ptr : ptr + size]

    def require(self, ptr: int, size: int) -> None:
        """Raise, as `claim` does, when the `size` bytes at `ptr` are not inside the memory."""
        if ptr + size > len(self.view):  # check: wasm room that is required
            self.claim(ptr, size)

    def grow(self, pages: int) -> bool:
        """Grow by `pages` of 64 KiB; whether that was possible."""
        raise NotImplementedError

    def discard(self, start: int) -> None:
        """Give the pages from `start` on back to the system, where it can take them; their content is lost.

        Where views are kept, the view ends there afterwards.
        """

    def read(self, ptr: int, size: int) -> bytes:
        """A copy of `size` bytes at `ptr`; raises like `claim`."""
        data = bytes(self.view[ptr : ptr + size])
        return data if len(data) == size else bytes(self.claim(ptr, size))  # check: wasm length of what was read

    def write(self, ptr: int, data: bytes) -> None:
        """Copy `data` to `ptr`; raises like `claim`."""
        size = len(data)
        target = self.view[ptr : ptr + size]
        if len(target) != size:  # check: wasm room for what is written
            target = self.claim(ptr, size)
        target[:] = data


def out_of_bounds(ptr: int, size: int, memory_size: int) -> CallError:
    """The error for an access outside the memory; sizes in bytes."""
    memory = f"the memory of {counted(memory_size, 'byte')}"
    return CallError(f"{counted(size, 'byte')} at address {ptr} {are(size)} outside {memory}")


class Meter:
    """Counts the parts of the value that is lifted from one memory.

    Attributes:
        left: the amount that may be counted before `more` has to be asked.
        granted: the amount that was allowed so far; a lift begins with both at `STEP`.
        parking: that of the store which the memory belongs to.
    """

    __slots__ = ("_memory", "granted", "left", "parking")

    def __init__(self, memory: Memory, parking: Parking) -> None:
        self._memory = memory
        self.parking = parking
        self.left = self.granted = STEP

    def start(self) -> None:
        """A value is lifted."""
        self.left = self.granted = STEP

    def pay(self, size: int) -> None:
        """Count a part of `size` bytes; raises like `more`."""
        self.left -= size + PART  # check: wasm bytes of a part
        if self.left < 0:
            self.more()

    def more(self) -> None:
        """Allow the next step.

        Raises:
            ValueLimitError: the parts add up to more than the limit.
            CallTimeoutError: the time of the call is up.
        """
        self.tick()  # check: wasm clock between steps
        self._memory.refresh()
        limit = max(FLOOR, FACTOR * len(self._memory.view))
        step = min(limit - self.granted, max(STEP, -self.left))  # check: wasm limit of shared parts in steps only
        self.granted += step
        self.left += step
        if self.left < 0:  # check: wasm limit of shared parts
            raise ValueLimitError(
                f"the parts of the value add up to more than {limit} bytes, which is only possible if they overlap"
            )

    def tick(self) -> None:
        """Raise CallTimeoutError when the time of the call is up."""
        self.parking.tick()

    def watched(self, items: list[_Item]) -> Iterator[_Item]:
        """`items`, with a look at the clock now and then."""
        for at in range(0, len(items), MANY):
            self.tick()  # check: wasm clock between elements
            yield from items[at : at + MANY]

"""Ready-made lifters and lowerers that generated adapters use, each bound to one memory when the module is linked.

They take and return unsigned pointers and lengths. The compiler enumerates them.
"""

from __future__ import annotations

from collections.abc import Callable

from marine_runtime.adapters.faults import failed_allocation, invalid_utf8, too_large
from marine_runtime.errors import CallError
from marine_runtime.lazy.typing import TYPE_CHECKING, Any, NoReturn
from marine_runtime.wasm.memory import Memory

if TYPE_CHECKING:
    from marine_runtime.adapters.codec import Allocate


def out_of_range(value: int, target: str) -> NoReturn:
    """A guest's or caller's number does not fit the type it is converted to."""
    raise CallError(f"{value} is out of range for {target}")  # check: closures range of integers


def bytes_lifter(memory: Memory) -> Callable[[int, int], bytes]:
    """`byte_array.lift_memory`: (ptr, size) -> a copy."""

    def lift_bytes(ptr: int, size: int) -> bytes:
        if not size:
            return b""
        data = bytes(memory.view[ptr : ptr + size])
        if len(data) != size:  # check: closures length of bytes
            data = bytes(memory.claim(ptr, size))
        return data

    return lift_bytes


def string_lifter(memory: Memory) -> Callable[[int, int], str]:
    """`string.lift_memory`: (ptr, size in bytes) -> text."""

    def lift_string(ptr: int, size: int) -> str:
        if not size:
            return ""
        data = memory.view[ptr : ptr + size]
        if len(data) != size:  # check: closures length of a string
            data = memory.claim(ptr, size)
        try:
            return str(data, "utf-8")  # check: closures UTF-8
        except UnicodeDecodeError as error:
            raise invalid_utf8(error) from None

    return lift_string


def bytes_storer(memory: Memory) -> Callable[[int, bytes], None]:
    """`byte_array.lower_memory` and `string.lower_memory`: write to an allocated block."""

    def store_bytes(ptr: int, data: bytes) -> None:
        size = len(data)
        if size:
            if not ptr:  # check: closures failed allocation of bytes
                raise failed_allocation(size)
            target = memory.view[ptr : ptr + size]
            if len(target) != size:  # check: closures room for bytes
                target = memory.claim(ptr, size)
            target[:] = data

    return store_bytes


def block_allocator(memory: Memory, allocate: Allocate) -> Callable[[int, int], int]:
    """(size in bytes, tag) -> address of a new block that is not empty and lies inside the memory."""

    def new_block(size: int, tag: int) -> int:
        if size >= 2**32:  # check: closures block of 4 GiB
            raise too_large(size)
        ptr = allocate(size, tag)
        if not ptr:  # check: closures failed allocation of a block
            raise failed_allocation(size)
        if ptr + size > len(memory.view):  # check: closures block inside the memory
            memory.require(ptr, size)
        return ptr

    return new_block


def bytes_lowerer(memory: Memory, allocate: Allocate) -> Callable[[bytes], tuple[int, int]]:
    """Allocate and write: bytes -> (ptr, size)."""
    from marine_runtime.abi.helpers import BYTES_TAG  # here, as `array` below: few functions need it

    store = bytes_storer(memory)

    def lower_bytes(data: bytes) -> tuple[int, int]:
        size = len(data)
        ptr = allocate(size, BYTES_TAG)
        store(ptr, data)
        return ptr, size

    return lower_bytes


def string_lowerer(memory: Memory, allocate: Allocate) -> Callable[[str], tuple[int, int]]:
    """Allocate and write: text -> (ptr, size in bytes)."""
    from marine_runtime.abi.helpers import BYTES_TAG

    store = bytes_storer(memory)

    def lower_string(text: str) -> tuple[int, int]:
        data = text.encode()
        size = len(data)
        ptr = allocate(size, BYTES_TAG)
        store(ptr, data)
        return ptr, size

    return lower_string


def flat_lifter(memory: Memory, code: Any, size: int) -> Callable[[int, int], list[Any]]:
    """`array.lift_memory` for numbers of `size` bytes each: (ptr, count) -> list, in one operation."""

    def lift_flat(ptr: int, count: int) -> list[Any]:
        if not count:
            return []
        length = count * size
        data = memory.view[ptr : ptr + length]
        if len(data) != length:  # check: closures length of numbers
            data = memory.claim(ptr, length)
        return data.cast(code).tolist()

    return lift_flat


def bool_lifter(memory: Memory) -> Callable[[int, int], list[bool]]:
    """`array.lift_memory bool`: any non-zero byte is true."""
    lift_bytes = bytes_lifter(memory)

    def lift_bools(ptr: int, count: int) -> list[bool]:
        return list(map(bool, lift_bytes(ptr, count))) if count else []

    return lift_bools


def flat_checker(cls: type, code: str) -> Callable[[Any], Any]:
    """From a list of `cls` to what lowering takes, by C loops; raises what they raise when anything is unusual."""
    from array import array

    def check_flat(values: Any) -> Any:
        if type(values) is not list:
            raise TypeError
        items = values[:]  # other threads may change it
        if list(map(type, items)).count(cls) != len(items):
            raise TypeError
        if cls is bool:
            return items
        numbers = array(code)
        numbers.fromlist(items)
        return numbers

    return check_flat


def flat_lowerer(
    memory: Memory, allocate: Allocate, code: str, size: int, tag: int
) -> Callable[[Any], tuple[int, int]]:
    """`array.lower_memory` for numbers of `size` bytes each: list -> (ptr, count), in one operation."""
    from array import array

    store = bytes_storer(memory)

    def lower_flat(values: Any) -> tuple[int, int]:
        count = len(values)
        if not count:
            return 0, 0
        length = count * size
        if length >= 2**32:  # check: closures array of 4 GiB
            raise too_large(length)
        ptr = allocate(length, tag)
        if type(values) is not array:
            values = bytes(values) if code == "?" else array(code, values)
        store(ptr, values.tobytes() if type(values) is array else values)
        return ptr, count

    return lower_flat

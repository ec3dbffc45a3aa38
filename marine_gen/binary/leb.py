"""Unsigned LEB128 numbers of up to 64 bits as the interface section writes them.

The reader is laxer than core Wasm's: longer forms than necessary are allowed. Errors are plain values here; the decoder
knows the place.
"""

from __future__ import annotations

U64_MAX = 2**64 - 1


def write_uleb(value: int) -> bytes:
    """`value` in its shortest form.

    Raises:
        ValueError: `value` is negative or exceeds 64 bits.
    """
    if not 0 <= value <= U64_MAX:
        raise ValueError(f"{value} is not an unsigned number of 64 bits")
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_uleb(data: bytes, position: int, max_bytes: int) -> tuple[int, int] | None:
    """The number at `position` and the offset behind it; None when the data ends inside the number.

    Raises:
        ValueError: the number has more than `max_bytes` bytes, or does not fit 64 bits.
    """
    value = 0
    for index, byte in enumerate(data[position : position + max_bytes]):
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            if value > U64_MAX:
                raise ValueError("does not fit 64 bits")
            return value, position + index + 1
    if len(data) - position < max_bytes:
        return None
    raise ValueError(f"has more than {max_bytes} bytes")

"""Captured output of guests: `fd_write` on the standard output or error, in Python.

Only modules that are captured come here; the output of the others goes to the process without Python.
"""

from __future__ import annotations

import errno
import io
import struct
from collections.abc import Callable, Mapping
from functools import partial

from marine_runtime.config.model import Output
from marine_runtime.wasm import Memory

_MAX_BYTES = 1 << 20
"""One call takes no more than this, so that pieces which name the same bytes again and again cost no memory."""


def sink(output: Output) -> Callable[[bytes], object]:
    """The function behind an output: itself, or the `write` of a file open for bytes."""
    if isinstance(output, io.RawIOBase):
        return partial(_write_all, output)
    write = getattr(output, "write", None)
    return write if callable(write) else output  # type: ignore[return-value]  # settings were checked


def _write_all(file: io.RawIOBase, data: bytes) -> None:
    """Write to a file without a buffer, which may take a part only: a disk gets full, a pipe is not read."""
    left = memoryview(data)
    while left:
        written = file.write(left)
        if written is None:
            raise BlockingIOError(errno.EAGAIN, "a captured output does not block, and nobody reads it")
        left = left[written:]


def capture(memory: Memory, sinks: Mapping[int, Callable[[bytes], object]]) -> Callable[[int, int, int], int]:
    """The end of `fd_write` over native descriptors; what a sink raises comes out of the call that the guest is in.

    The shim has checked the pieces; the memory is checked once more all the same.
    """

    def write(descriptor: int, pieces: int, count: int) -> int:
        data = bytearray()
        for ptr, size in struct.iter_unpack("<II", memory.read(pieces, 8 * count)):
            if len(data) == _MAX_BYTES:
                break
            data += memory.read(ptr, min(size, _MAX_BYTES - len(data)))  # check: wasi bytes of all pieces
        sinks[descriptor](bytes(data))
        return len(data)

    return write

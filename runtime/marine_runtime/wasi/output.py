"""What a guest prints, when the embedder wants it: `fd_write` on the standard output or error, in Python.

Only modules that are captured come here; the output of the others goes to the process without Python.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from marine_runtime.config.model import Output
from marine_runtime.errors import CallError, ConfigError
from marine_runtime.wasi.bodies import FAULT, INVAL
from marine_runtime.wasm import Memory

_MAX_PIECES = 1024
_MAX_BYTES = 1 << 20
"""One call takes no more than this, so that pieces which name the same bytes again and again cost no memory."""


def sink(output: Output, where: str) -> Callable[[bytes], object]:
    """The function behind an output: itself, or the `write` of a file open for bytes.

    Raises:
        ConfigError: it is neither.
    """
    write = getattr(output, "write", None)
    if callable(write):
        found: Callable[[bytes], object] = write
        return found
    if callable(output):
        return output
    raise ConfigError(f"{where} must be a callable or a binary file, not {type(output).__name__}")


def capture(
    memory: Callable[[], Memory], sinks: Mapping[int, Callable[[bytes], object]]
) -> Callable[[int, int, int, int], int]:
    """`fd_write` over native descriptors; what a sink raises comes out of the call that the guest is in."""

    def write(descriptor: int, pieces: int, count: int, written: int) -> int:
        if count > _MAX_PIECES:  # check: wasi number of pieces
            return INVAL
        guest = memory()
        data = bytearray()
        try:
            guest.require(written, 4)  # check: wasi address of the count
            for ptr, size in struct.iter_unpack("<II", guest.read(pieces, 8 * count)):
                guest.require(ptr, size)
                data += guest.read(ptr, min(size, _MAX_BYTES - len(data)))  # check: wasi bytes of all pieces
        except CallError:
            return FAULT
        sinks[descriptor](bytes(data))
        guest.write(written, struct.pack("<I", len(data)))
        return 0

    return write

"""Reading whole files with few system calls: `open` asks for what only text and terminals need."""

from __future__ import annotations

import os

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)


def read_file(file: str | int) -> bytes:
    """The content of a file, by its path or by a descriptor at its start; raises OSError."""
    if isinstance(file, int):
        return _read(file)
    descriptor = os.open(file, _FLAGS)
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    data = os.read(descriptor, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while data:  # it is larger than a system call gives, or being written
        parts.append(data := os.read(descriptor, 1 << 24))
    return b"".join(parts)

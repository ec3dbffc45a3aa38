"""Errors of values that can't be lifted or lowered, for all engines."""

from __future__ import annotations

from marine_runtime.abi.measures import MAX_RECORD_DEPTH
from marine_runtime.errors import CallError
from marine_runtime.texts.messages import counted


def failed_allocation(size: int) -> CallError:
    """`allocate` gave 0 for a block that is not empty; the guest is out of memory."""
    return CallError(f"`allocate` returned 0 for {counted(size, 'byte')}")


def invalid_utf8(error: UnicodeDecodeError, path: str = "$") -> CallError:
    """A guest's string is not UTF-8."""
    size = counted(len(error.object), "byte")
    return CallError(f"invalid UTF-8 at byte {error.start} of a string of {size}", path=path)


def too_deep() -> CallError:
    """Records are nested beyond `MAX_RECORD_DEPTH`."""
    return CallError(f"records are nested more than {MAX_RECORD_DEPTH} deep")


def too_large(size: int) -> CallError:
    """A block does not fit a 32-bit memory."""
    return CallError(f"{size} bytes do not fit into a 32-bit memory")

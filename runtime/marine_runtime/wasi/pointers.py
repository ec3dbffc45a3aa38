"""The trap of a wrong pointer, as the native functions of WASI have it."""

from __future__ import annotations

from marine_runtime.errors import CallError, TrapError
from marine_runtime.lazy.typing import NoReturn
from marine_runtime.texts.messages import wrong_pointer
from marine_runtime.wasm import Memory


def refuse(ptr: int, size: int, align: int) -> NoReturn:
    """Raise the trap; `align` is 0 when the pointer is aligned but leads out of the memory."""
    raise TrapError(wrong_pointer(ptr, size, f"not aligned to {align}" if align else "out of bounds"))


def require(memory: Memory, ptr: int, size: int, align: int = 1) -> None:
    """Raise the trap unless `size` bytes at `ptr`, a multiple of `align`, are inside the memory."""
    if size:
        try:
            memory.require(ptr, size)
        except CallError:
            refuse(ptr, size, 0)
        if ptr % align:
            refuse(ptr, size, align)

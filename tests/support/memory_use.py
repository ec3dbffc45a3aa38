"""Memory of this process, in bytes; `memories`, `resident`, `reserved` and `mappings` on Linux only."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

from marine_runtime.wasm.memory_creator import memory_creator

_PROCESS = Path("/proc/self")


def memories() -> int:
    """The number of memories that the runtime has made and not given back."""
    return len(memory_creator()._made)


def reserved() -> int:
    """Address space."""
    return _pages(0)


def resident() -> int:
    """The process's resident memory."""
    return _pages(1)


def mappings() -> int:
    """The number of mappings, of which Linux allows a process `vm.max_map_count`."""
    return (_PROCESS / "maps").read_bytes().count(b"\n")


def peak() -> int:
    """The most that it had in memory since `forget_peak`, or ever."""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s*(\d+) kB", (_PROCESS / "status").read_text("ascii")):
            return int(found[1]) << 10
    # It begins with what the parent had, and is in bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def forget_peak() -> bool:
    """`peak` starts over; False where the system can't do that."""
    try:
        (_PROCESS / "clear_refs").write_text("5", "ascii")
    except OSError:
        return False
    return True


def _pages(column: int) -> int:
    return int((_PROCESS / "statm").read_text("ascii").split()[column]) * resource.getpagesize()

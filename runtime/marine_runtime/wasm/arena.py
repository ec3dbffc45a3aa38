"""Address space for linear memories: reservations with many slots, so that a memory costs two mappings of the system.

A slot is a range of inaccessible address space with a guard on both sides; neighbours share the guard between them. All
that is inaccessible between two memories is one mapping for the system, which limits their number (`vm.max_map_count`).
A slot that is given back becomes a part of that mapping again, whatever lived beside it, and loses its content: what
takes it next reads zeros.

Reservations double, so the cost of a slot does not grow with their number. Where the system
limits the address space of the process, slots are reserved one by one.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Iterator

# The numbers of this system; Linux's where its Python has none, which is where no memory is made.
_PRIVATE, _FIXED = getattr(mmap, "MAP_PRIVATE", 0x2), 0x10
_ANONYMOUS = getattr(mmap, "MAP_ANONYMOUS", 0x20)
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
_RESERVED = _PRIVATE | _ANONYMOUS | _NORESERVE
_NONE, READ_WRITE, _READ_EXECUTE = 0x0, 0x3, 0x5
FAILED = (None, 2**64 - 1)
"""Results of `mmap` when it fails."""

_PAGE = mmap.PAGESIZE
_MOST = 256  # slots of a reservation

Kind = tuple[int, int]
"""The measures of all slots of a reservation: the bytes that each can make accessible, and those of a guard."""


class Reservation:
    """A range of address space with slots.

    Attributes:
        bases: of all its slots.
        used: the number of its slots that are taken; too low where threads are between two steps.
        free: all slots of its kind that are not taken, each with its reservation; who puts one back has cleared it.
    """

    __slots__ = ("bases", "free", "kind", "length", "start", "used")

    def __init__(self, start: int, count: int, kind: Kind, free: dict[int, Reservation]) -> None:
        capacity, guard = kind
        self.start = start
        self.length = guard + count * (capacity + guard)
        self.bases = range(start + guard, start + self.length, capacity + guard)
        self.kind = kind
        self.free = free
        self.used = 0


class Arena:
    """The slots of one process. Threads may share it, and be left by an exception between any two of its steps.

    Attributes:
        protect: `mprotect` of the C library, for what a slot makes accessible.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        place, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        self._map = libc.mmap
        self._map.restype, self._map.argtypes = place, (place, size, number, number, number, ctypes.c_long)
        self._unmap = libc.munmap
        self._unmap.argtypes = (place, size)
        self.protect = libc.mprotect
        self.protect.argtypes = (place, size, number)
        self._free: dict[Kind, dict[int, Reservation]] = {}
        self._count: dict[Kind, int] = {}

    def take(self, capacity: int, guard: int) -> tuple[int, Reservation]:
        """The base of a slot with room for `capacity` bytes and `guard` bytes on both sides, and where it lies.

        Raises:
            OSError: the system has no address space left for it.
        """
        kind = whole(capacity), whole(guard)
        free = self._free.setdefault(kind, {})
        while True:
            try:
                base, reservation = free.popitem()
            except KeyError:
                self._reserve(kind, free)
            else:
                reservation.used += 1
                return base, reservation

    def clearing(self, base: int, size: int) -> Iterator[int | None]:
        """One step that makes the first `size` bytes of a slot inaccessible and forgets their content.

        It gives one of `FAILED` when the system refuses that; nothing has changed then.
        """
        flags = _RESERVED | _FIXED
        return map(self._map, (base,), (size or _PAGE,), (_NONE,), (flags,), (-1,), (0,))

    def release(self, reservation: Reservation) -> None:
        """Give the address space of a reservation back to the system, unless one of its slots is taken."""
        free = reservation.free
        ours = [base for base in reservation.bases if free.pop(base, None)]
        if len(ours) == len(reservation.bases) and not self._unmap(reservation.start, reservation.length):
            self._count[reservation.kind] -= len(ours)
        else:
            free.update(dict.fromkeys(ours, reservation))

    def executable(self, codes: list[bytes], room: int) -> list[int]:
        """The addresses of pieces of machine code, each with `room` bytes, in a page that is not writable any more.

        Raises:
            OSError: the system refuses that.
        """
        page = self._map(None, _PAGE, READ_WRITE, _PRIVATE | _ANONYMOUS, -1, 0)
        if page in FAILED:
            raise OSError(ctypes.get_errno(), "no page for the memory creator")
        addresses = [page + number * room for number in range(len(codes))]
        for address, code in zip(addresses, codes, strict=True):
            ctypes.memmove(address, code, len(code))
        # The kernel cleans incoherent instruction caches when a page becomes executable.
        if self.protect(page, _PAGE, _READ_EXECUTE):
            raise OSError(ctypes.get_errno(), "the memory creator's page can't be made executable")
        return addresses

    def _reserve(self, kind: Kind, free: dict[int, Reservation]) -> None:
        """Add slots of a kind to those that are free."""
        capacity, guard = kind
        count = max(1, min(self._count.get(kind, 0), _MOST))
        if count > 1 and _limited():
            count = 1
        while (start := self._map(None, guard + count * (capacity + guard), _NONE, _RESERVED, -1, 0)) in FAILED:
            number = ctypes.get_errno()
            if count == 1:
                raise OSError(number, os.strerror(number))
            count //= 2
        made = Reservation(start, count, kind, free)
        self._count[kind] = self._count.get(kind, 0) + count
        # The last is taken first, so memories that are made one after the other go upwards.
        free.update(dict.fromkeys(reversed(made.bases), made))


def _limited() -> bool:
    """True if the address space of the process has a limit."""
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def whole(size: int) -> int:
    """`size` in bytes as whole pages."""
    return -(-size // _PAGE) * _PAGE

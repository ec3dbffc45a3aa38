"""Linear memories that the runtime makes itself, so that a budget can refuse their growth at the exact byte.

Wasmtime asks its host memory creator for every memory of a `wasmtime.Engine`. A memory here is a slot of the arena, as
long as Wasmtime asks for and with guards on both sides; growing makes more of it accessible. Whose budget pays is known
because instantiation is synchronous: whoever instantiates says so for its thread (`charging`).

Wasmtime calls back through three functions of C, which the optional extension has (`speedups`), or a few instructions
of machine code. It asks where a memory lies while it handles the signal of an out-of-bounds access, where Python must
not run. And a Python callback can be left by a KeyboardInterrupt before its first line; what ctypes then returns is
undefined. So the question is answered without Python, the other two are covered (`covered`) and keep what was raised
for the running call, and the function around them demands a 1 of them.

There is machine code for Linux on two processors; the extension serves every POSIX system of 64 bits. Elsewhere
`problem()` says so, and stores have Wasmtime's static limits instead.
"""

from __future__ import annotations

import ctypes
import os
import sys
from _thread import _local as local
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from marine_runtime.errors import LoadError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import os_reason, refusal, refused_code
from marine_runtime.wasm import ffi
from marine_runtime.wasm.arena import FAILED, READ_WRITE, Arena, Reservation, whole
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.capi.library import machine
from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.machine_code import machine_code
from marine_runtime.wasm.speedups import speedups
from marine_runtime.wasm.traps import LEFT_EARLY, Parking

_MESSAGE = b"the memory limit of the service does not allow it"
_ROOM = 128  # bytes for each function of the machine code


class _Cell(ctypes.Structure):
    """The structure that the machine code reads; it relies on the order of the fields."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("capacity", ctypes.c_uint64),
        ("target", ctypes.c_uint64),
        ("error_new", ctypes.c_uint64),
        ("message", ctypes.c_uint64),
    )


class _Made:
    """A memory: its cell, and who pays for it.

    Attributes:
        parking: keeps what signal handlers raise while it grows.
        paid: the amount that the budget had paid before the current growth.
        reach: bytes that may be accessible, also after a growth that the system refused.
        reservation: the reservation that has its slot of the arena.
    """

    __slots__ = ("budget", "cell", "paid", "parking", "reach", "reservation")

    def __init__(self, cell: _Cell, budget: Budget | None, parking: Parking, reservation: Reservation) -> None:
        self.cell = cell
        self.budget = budget
        self.parking = parking
        self.paid: int | None = None
        self.reach = cell.size
        self.reservation = reservation


class _Payer(local):
    """The payer of the memories that a thread makes, and what the system refused to it."""

    budget: Budget | None = None
    parking = Parking()
    refused = ""


class _LinearMemory(ctypes.Structure):
    """`wasmtime_linear_memory_t`, with plain addresses."""

    _fields_ = (
        ("env", ctypes.c_uint64),
        ("get_memory", ctypes.c_uint64),
        ("grow_memory", ctypes.c_uint64),
        ("finalizer", ctypes.c_uint64),
    )


_SIZE = ctypes.c_size_t
_NewMemory = ctypes.CFUNCTYPE(_SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _SIZE)
_GrowMemory = ctypes.CFUNCTYPE(_SIZE, _SIZE, _SIZE)
_Finalize = ctypes.CFUNCTYPE(None, _SIZE)


def problem() -> str | None:
    """The reason why memories can't be made here, or None."""
    if machine_code() is None and not _has_extension():
        return f"there is no memory creator for {sys.platform} on {machine()}"
    return ffi.memory_creator_problem()


def _has_extension() -> bool:
    return speedups() is not None and sys.platform != "win32" and sys.maxsize > 2**32


class MemoryCreator:
    """Makes all memories of the process. There is one creator, which lives as long as the process."""

    def __init__(self) -> None:
        self._arena = Arena()
        self._protect = self._arena.protect
        self._payer = _Payer()
        self._made: dict[int, _Made] = {}
        self._left: dict[int, None] = {}  # memories that could not be cleared yet
        self._message = ctypes.create_string_buffer(_MESSAGE)
        self._error_new = ffi.function_address("wasmtime_error_new")
        new_memory, grow, finalize = _NewMemory(self._new_memory), _GrowMemory(self._grow), _Finalize(self._finalize)
        self._grow_address = _address(grow)
        self._finalize_address = _address(finalize)
        self._ask_code, self._grow_code, self._create_code = self._callbacks()
        self._cell = self._new_cell(_address(new_memory))
        # A store may be freed while the interpreter shuts down; what it calls back must be there to the very end.
        for kept in (self, new_memory, grow, finalize):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))

    def install(self, config: Any) -> None:
        """Make every `wasmtime.Engine` of `config` take their memories from here."""
        ffi.set_memory_creator(config, ctypes.addressof(self._cell), self._create_code)

    @contextmanager
    def charging(self, budget: Budget | None, parking: Parking) -> Iterator[None]:
        """While this lasts, memories that this thread makes are paid by `budget`, now and when they grow.

        What signal handlers raise while that happens is kept by `parking`.
        """
        payer = self._payer
        before = payer.budget, payer.parking
        payer.budget, payer.parking, payer.refused = budget, parking, ""
        try:
            yield
        finally:
            payer.budget, payer.parking = before

    @property
    def refused(self) -> str:
        """The reason why the system refused a memory to this thread in its last `charging`, or nothing."""
        return self._payer.refused

    def _callbacks(self) -> tuple[int, ...]:
        """Addresses of the three functions around Python's: to ask, to grow, to create."""
        extension = speedups() if _has_extension() else None
        if extension is not None:
            found: tuple[int, int, int] = extension.memory_callbacks()
            return found
        code = machine_code()
        assert code is not None
        try:
            return tuple(self._arena.executable([code.ask, code.grow, code.create], _ROOM))
        except OSError as error:
            raise LoadError(refused_code(os_reason(error), error.errno)) from error

    def _new_cell(self, target: int, base: int = 0, size: int = 0, capacity: int = 0) -> _Cell:
        return _Cell(base, size, capacity, target, self._error_new, ctypes.addressof(self._message))

    @covered
    def _new_memory(self, _: int, kind: int, minimum: int, maximum: int, reserved: int, guard: int, out: int) -> int:
        """Called by Wasmtime, through a function of C: 1 when the memory is there, 0 when it is refused."""
        try:
            payer = self._payer
            budget = payer.budget
            if self._left:  # one at a time: the system may go on refusing
                self._finalize(self._left.popitem()[0])
            if budget is not None and not budget.take(minimum):
                return 0
            capacity = whole(max(reserved, minimum))
            try:
                base, reservation = self._arena.take(capacity, guard)
            except OSError as error:
                payer.refused = refusal(error, capacity)
                return 0
            if minimum and self._protect(base, minimum, READ_WRITE):
                payer.refused = _system_error()
                if next(self._arena.clearing(base, minimum)) not in FAILED:
                    reservation.free[base] = reservation
                    reservation.used -= 1
                return 0
            cell = self._new_cell(self._grow_address, base, minimum, capacity)
            env = ctypes.addressof(cell)
            self._made[env] = _Made(cell, budget, payer.parking, reservation)
            given = _LinearMemory.from_address(out)
            given.env, given.get_memory, given.grow_memory = env, self._ask_code, self._grow_code
            given.finalizer = self._finalize_address
        except BaseException as error:
            # Nothing here may call: a second signal would be handled, and what it raises reach C. Of a memory that is
            # given up, the address space stays reserved.
            self._payer.parking.exception = error
            return 0
        return 1

    @covered
    def _grow(self, env: int, new_size: int) -> int:
        """Called by Wasmtime, through a function of C: 1 when the memory has grown, 0 when that is refused."""
        try:
            made = self._made[env]
            cell, budget = made.cell, made.budget
            size = cell.size
            if new_size > cell.capacity:
                return 0
            if budget is not None:
                made.paid = budget.used
                if not budget.take(new_size - size):
                    made.paid = None
                    return 0
            made.reach = max(made.reach, new_size)  # a growth that failed may have been done in part
            # No signal is handled between a call by `for` and what follows.
            for failed in map(self._protect, (cell.base + size,), (new_size - size,), (READ_WRITE,)):
                if not failed:
                    cell.size, made.paid = new_size, None
                    return 1
                if budget is not None:
                    budget.used -= new_size - size
                    made.paid = None
                    budget.refuse(_system_error())
        except BaseException as error:
            # As above. The guest sees a refused growth; the mark ends its call as soon as it is back.
            made = self._made[env]
            if made.budget is not None and made.paid is not None:
                made.budget.used, made.paid = made.paid, None
            made.parking.exception = error
            made.parking.trap[0] = LEFT_EARLY
        return 0

    @covered
    def _finalize(self, env: int) -> None:
        """Called by Wasmtime: nothing uses the memory any more."""
        try:
            made = self._made[env]
            reservation = made.reservation
            for found in self._arena.clearing(made.cell.base, made.reach):
                if found in FAILED:
                    self._left[env] = None
                else:
                    reservation.free[made.cell.base] = reservation
                    reservation.used -= 1
                    del self._made[env]
            if not reservation.used:
                self._arena.release(reservation)
        except BaseException as error:
            if env in self._made:
                self._left[env] = None
                self._made[env].parking.exception = error
            else:
                made.parking.exception = error


def _system_error() -> str:
    number = ctypes.get_errno()
    return refusal(OSError(number, os.strerror(number)))


def _address(callback: Any) -> int:
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


@cache
def memory_creator() -> MemoryCreator:
    """The creator of this process. Ask for it only after `problem()` gave None."""
    return MemoryCreator()

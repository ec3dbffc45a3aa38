"""The address space of memories: slots that nobody shares, mappings that stay few, and reservations that end."""

from __future__ import annotations

import ctypes
import errno
import random
import threading
from pathlib import Path

import pytest
import wasmtime

from marine_runtime.wasm import Store, WasmRuntime
from marine_runtime.wasm import arena as arenas
from marine_runtime.wasm.arena import FAILED, READ_WRITE, Arena, Reservation
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.memory import Memory
from marine_runtime.wasm.memory_creator import memory_creator, problem
from marine_runtime.wasm.module import Module
from tests.support.memory_use import mappings, reserved

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))

CAPACITY, GUARD = 1 << 20, 1 << 16
"""Bytes of the slots here: nothing else in this process has slots of that kind."""

MODULE = bytes(
    wasmtime.wat2wasm("""(module
      (memory (export "memory") 2)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))""")
)

Slot = tuple[int, Reservation]


def protection(address: int) -> str:
    """The rights of the mapping in which an address lies, as Linux writes them; nothing where none is."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, *_ = line.split()
        start, end = (int(part, 16) for part in place.split("-"))
        if start <= address < end:
            return rights
    return ""


def give_back(arena: Arena, slot: Slot, size: int = 0) -> None:
    """As the creator does when a memory ends."""
    base, reservation = slot
    assert next(arena.clearing(base, size)) not in FAILED
    reservation.free[base] = reservation
    reservation.used -= 1
    if not reservation.used:
        arena.release(reservation)


def test_slots_have_guards_and_share_nothing() -> None:
    arena = Arena()
    slots = [arena.take(CAPACITY - 1, GUARD - 1) for _ in range(50)]  # whole pages are given
    ends = 0
    for base, reservation in sorted(slots, key=lambda slot: slot[0]):
        assert base >= ends + GUARD
        ends = base + CAPACITY
        assert reservation.start + GUARD <= base
        assert ends + GUARD <= reservation.start + reservation.length
    for slot in slots:
        give_back(arena, slot)


def test_a_slot_is_empty_when_it_is_taken_again() -> None:
    arena = Arena()
    base, reservation = arena.take(CAPACITY, GUARD)
    other = arena.take(CAPACITY, GUARD)
    assert not arena.protect(base, CAPACITY, READ_WRITE)
    ctypes.memset(base, 0xFF, CAPACITY)
    reservation.used += 1  # it stays when the slot is given back
    give_back(arena, (base, reservation), CAPACITY)
    assert accessible(base) == ""
    again, _ = arena.take(CAPACITY, GUARD)
    assert again == base
    assert accessible(base) == ""
    assert not arena.protect(base, CAPACITY, READ_WRITE)
    assert not any(ctypes.string_at(base, CAPACITY))
    reservation.used -= 1
    for slot in ((base, reservation), other):
        give_back(arena, slot, CAPACITY)


def accessible(address: int) -> str:
    """The permissions at an address: `rw` or nothing."""
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        places, permissions, *_ = line.split()
        start, end = (int(place, 16) for place in places.split("-"))
        if start <= address < end:
            return permissions[:2].strip("-")
    return ""


def test_reservations_end_with_their_last_slot() -> None:
    before = reserved()
    arena = Arena()
    slots = [arena.take(1 << 30, GUARD) for _ in range(40)]
    assert reserved() >= before + (40 << 30)
    random.Random(1).shuffle(slots)
    for slot in slots:
        give_back(arena, slot)
    assert reserved() < before + (1 << 30)
    give_back(arena, arena.take(1 << 30, GUARD))  # it is usable afterwards
    assert reserved() < before + (1 << 30)


@pytest.mark.parametrize("limited", [False, True])
def test_reservations_grow_where_address_space_has_no_limit(monkeypatch: pytest.MonkeyPatch, limited: bool) -> None:
    monkeypatch.setattr(arenas, "_limited", lambda: limited)
    arena = Arena()
    slots = [arena.take(CAPACITY, GUARD) for _ in range(100)]
    made = {id(reservation): reservation for _, reservation in slots}.values()
    assert [len(item.bases) for item in made] == ([1] * 100 if limited else [1, 1, 2, 4, 8, 16, 32, 64])
    for slot in slots:
        give_back(arena, slot)


def test_smaller_reservations_where_larger_ones_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    arena = Arena()
    slots = [arena.take(CAPACITY, GUARD) for _ in range(8)]
    map_more = arena._map

    def refuse(start: object, length: int, *rest: object) -> object:
        if length > most:
            ctypes.set_errno(errno.ENOMEM)
            return FAILED[1]
        return map_more(start, length, *rest)

    monkeypatch.setattr(arena, "_map", refuse)
    most = GUARD + 2 * (CAPACITY + GUARD)
    slots.append(arena.take(CAPACITY, GUARD))
    assert len(slots[-1][1].bases) == 2
    most = 0
    slots.append(arena.take(CAPACITY, GUARD))  # of what is there
    with pytest.raises(OSError, match="Cannot allocate memory"):
        arena.take(CAPACITY, GUARD)
    monkeypatch.undo()
    for slot in slots:
        give_back(arena, slot)


@pytest.fixture(scope="module")
def made() -> tuple[WasmRuntime, Module]:
    runtime = WasmRuntime(FastLayer())
    return runtime, runtime.compile(MODULE)


def new_memory(store: Store, module: Module) -> Memory:
    memory = store.instantiate(module, {}).memory
    assert memory is not None
    return memory


def test_mappings_of_memories_that_end_in_any_order(made: tuple[WasmRuntime, Module]) -> None:
    """Two for each that lives, whatever was between them before; a few are Python's own."""
    runtime, module = made
    stores: list[Store] = []

    def open_more(count: int) -> None:
        for _ in range(count):
            stores.append(runtime.store())
            memory = new_memory(stores[-1], module)
            assert memory.read(0xFFF0, 1) == b"\0"
            memory.write(0xFFF0, b"x")

    open_more(20)
    before = mappings() - 2 * len(stores)
    open_more(100)
    chance = random.Random(7)
    for _ in range(3):
        assert mappings() - before <= 2 * len(stores) + 15
        chance.shuffle(stores)
        for store in stores[60:]:
            store.close()
        del stores[60:]
        assert mappings() - before <= 2 * len(stores) + 15
        open_more(60)
    for store in stores:
        store.close()
    assert mappings() - before <= 15


def test_a_growth_that_was_refused_and_done_is_cleared(
    made: tuple[WasmRuntime, Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A smaller one after it does not make the runtime forget how far the memory may reach."""
    runtime, module = made
    creator = memory_creator()
    stores = [runtime.store() for _ in range(4)]  # some share a reservation, which stays with one of them
    for store in stores:
        known = set(creator._made)
        instance = store.instantiate(module, {})
    (env,) = set(creator._made) - known
    base, protect = creator._made[env].cell.base, creator._protect
    grow = instance.function("grow", "I", "i")
    with monkeypatch.context() as patch:
        patch.setattr(creator, "_protect", lambda *given: protect(*given) - 1)
        assert grow(3) == -1
    before = creator._made[env].cell.size
    assert grow(1) == before // 0x10000
    beyond = base + before + 2 * 0x10000
    assert protection(beyond) == "rw-p"
    store.close()
    assert protection(beyond) == "---p"
    for store in stores[:-1]:
        store.close()


def test_a_memory_that_can_not_be_cleared_is_not_taken_again(
    made: tuple[WasmRuntime, Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, module = made
    creator = memory_creator()
    store, other = runtime.store(), runtime.store()
    known = set(creator._made)
    new_memory(store, module).write(0, b"secret")
    (env,) = set(creator._made) - known
    with monkeypatch.context() as patch:
        patch.setattr(creator._arena, "clearing", lambda *_: iter(FAILED[1:]))
        store.close()
        assert list(creator._left) == [env]
        for _ in range(3):  # memories are made none the less
            assert new_memory(other, module).read(0, 6) == bytes(6)
        assert list(creator._left) == [env]
        ended = creator._made[env]
    assert new_memory(other, module).read(0, 6) == bytes(6)
    assert not creator._left
    assert ended not in creator._made.values()
    other.close()


def test_threads_never_share_a_slot() -> None:
    arena = Arena()
    taken: dict[int, int] = {}
    twice: list[int] = []

    def work() -> None:
        chance = random.Random(threading.get_ident())
        held: list[Slot] = []
        for _ in range(300):
            if held and chance.random() < 0.5:
                slot = held.pop()
                del taken[slot[0]]
                give_back(arena, slot)
            else:
                slot = arena.take(CAPACITY, GUARD)
                if taken.setdefault(slot[0], threading.get_ident()) != threading.get_ident():
                    twice.append(slot[0])
                held.append(slot)
        for slot in held:
            del taken[slot[0]]
            give_back(arena, slot)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not twice
    assert not taken

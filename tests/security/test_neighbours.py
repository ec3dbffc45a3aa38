"""Memories that lie side by side: no guest reaches that of another, and none finds what an earlier one left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import wasmtime

from marine_runtime import TrapError
from marine_runtime.wasm import Store, WasmRuntime
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.memory_creator import memory_creator, problem
from marine_runtime.wasm.public import PublicLayer
from marine_runtime.wasm.store import Instance

PAGE = 0x10000
COUNT = 9
MODULE = bytes(
    wasmtime.wat2wasm("""(module
      (memory (export "memory") 1)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
      (func (export "store") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
      (func (export "load") (param i32) (result i64) (i64.load (local.get 0)))
      (func (export "far") (param i32) (result i64) (i64.load offset=4294967295 (local.get 0)))
      (func (export "simd") (param i32) (drop (v128.load offset=4294967280 (local.get 0)))))""")
)

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))


class Neighbours:
    """Instances of one module, each in a store of its own, and where their memories lie."""

    def __init__(self, runtime: WasmRuntime) -> None:
        self.runtime = runtime
        self.module = runtime.compile(MODULE)
        self.living: list[tuple[int, Store, Instance]] = []

    def open(self) -> Instance:
        store = self.runtime.store(Budget(64 * PAGE))
        made = memory_creator()._made
        known = set(made)
        instance = store.instantiate(self.module, {}, charged=True)
        (env,) = set(made) - known
        self.living.append((made[env].cell.base, store, instance))
        self.living.sort(key=lambda item: item[0])
        return instance

    def close(self, at: int) -> int:
        """Close the one at a place among the living; gives the base of its memory."""
        base, store, _ = self.living.pop(at)
        store.close()
        return base


@pytest.fixture(params=[FastLayer, PublicLayer])
def neighbours(request: pytest.FixtureRequest) -> Iterator[Neighbours]:
    made = Neighbours(WasmRuntime(request.param()))
    for _ in range(COUNT):
        made.open()
    yield made
    while made.living:
        made.close(0)


def test_nobody_reaches_a_neighbour(neighbours: Neighbours) -> None:
    for number, (_, _, instance) in enumerate(neighbours.living):
        instance.function("grow", "I", "i")(number)  # sizes differ
        instance.function("fill", "III", "")(0, number + 1, (number + 1) * PAGE)
    bases = [base for base, _, _ in neighbours.living]
    gaps = {after - before for before, after in itertools.pairwise(bases)}
    assert min(gaps) < 5 << 30, "they are not side by side, and nothing is tested"
    assert min(gaps) > (4 << 30) + (1 << 20)
    for number, (_, _, instance) in enumerate(neighbours.living):
        size = (number + 1) * PAGE
        load, far, simd = (
            instance.function(*item) for item in (("load", "I", "q"), ("far", "I", "q"), ("simd", "I", ""))
        )
        store, fill = instance.function("store", "Iq", ""), instance.function("fill", "III", "")
        assert load(size - 8) == int.from_bytes(bytes([number + 1] * 8), "little")
        for address in (size - 7, size, size + 0x1000, 2**31, 2**32 - 8, 2**32 - 1):
            with pytest.raises(TrapError, match="out of bounds"):
                load(address)
            with pytest.raises(TrapError, match="out of bounds"):
                store(address, -1)
            with pytest.raises(TrapError, match="out of bounds"):
                fill(size - 1, 0xFF, address)
        for address in (0, 16, size, 2**31, 2**32 - 1):
            for reach in (far, simd):
                with pytest.raises(TrapError, match="out of bounds"):
                    reach(address)
    for number, (_, _, instance) in enumerate(neighbours.living):
        assert instance.memory is not None
        instance.memory.refresh()
        assert bytes(instance.memory.view) == bytes([number + 1]) * ((number + 1) * PAGE)


@pytest.mark.parametrize("grown", [0, 20])
def test_nobody_finds_what_was_left(neighbours: Neighbours, grown: int) -> None:
    for _, _, instance in neighbours.living:
        instance.function("grow", "I", "i")(grown)
        instance.function("fill", "III", "")(0, 0xAA, (1 + grown) * PAGE)
    left = {neighbours.close(at) for at in (6, 4, 1)}
    taken: set[int] = set()
    for _ in left:
        before = {base for base, _, _ in neighbours.living}
        instance = neighbours.open()
        taken |= {base for base, _, _ in neighbours.living} - before
        for address in (PAGE, 2 * PAGE - 8, (1 + grown) * PAGE - 8 + 8 * (not grown)):
            with pytest.raises(TrapError, match="out of bounds"):
                instance.function("load", "I", "q")(address)
        assert instance.function("grow", "I", "i")(40) == 1
        assert instance.memory is not None
        instance.memory.refresh()
        assert not any(instance.memory.view)
    assert taken & left, "no place was taken again, and nothing is tested"
    for base, _, instance in neighbours.living:
        if base not in taken:
            assert instance.memory is not None
            instance.memory.refresh()
            assert bytes(instance.memory.view) == b"\xaa" * ((1 + grown) * PAGE)

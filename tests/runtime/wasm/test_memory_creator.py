"""The memories that the runtime makes: guards, initial data, and what holds where they can't be made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wasmtime

from marine_runtime import LinkError, TrapError
from marine_runtime.wasm import Store, WasmRuntime
from marine_runtime.wasm import store as wasm_store
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.public import PublicLayer

PAGE = 0x10000
MODULE = bytes(
    wasmtime.wat2wasm("""(module
      (memory (export "memory") 2 8)
      (memory $other 1)
      (data (i32.const 65536) "a whole page of an image could be mapped here")
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "grow_other") (param i32) (result i32) (memory.grow $other (local.get 0)))
      (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "far") (param i32) (result i32) (i32.load8_u offset=4294967295 (local.get 0))))""")
)
LAYERS = (FastLayer, PublicLayer)


@pytest.fixture(params=LAYERS)
def runtime(request: pytest.FixtureRequest) -> WasmRuntime:
    return WasmRuntime(request.param())


@pytest.fixture
def store(runtime: WasmRuntime) -> Iterator[Store]:
    made = runtime.store(Budget(5 * PAGE))
    yield made
    made.close()


@pytest.mark.parametrize("serialised", [False, True])
def test_initial_data_and_guards(runtime: WasmRuntime, store: Store, serialised: bool) -> None:
    module = runtime.compile(MODULE)
    if serialised:
        module = runtime.deserialize(module.serialize())
    instance = store.instantiate(module, {}, charged=True)
    load, far, grow = (instance.function(name, "I", "I") for name in ("load", "far", "grow"))
    assert chr(load(PAGE)) == "a"
    assert load(2 * PAGE - 1) == 0
    for address in (2 * PAGE, 4 * PAGE, 2**31, 2**32 - 1):
        with pytest.raises(TrapError, match="out of bounds"):
            load(address)
    for address in (0, 1, 2**32 - 1):
        with pytest.raises(TrapError, match="out of bounds"):
            far(address)
    assert grow(1) == 2
    assert load(3 * PAGE - 1) == 0
    with pytest.raises(TrapError, match="out of bounds"):
        load(3 * PAGE)
    assert instance.memory is not None
    instance.memory.refresh()
    assert len(instance.memory.view) == 3 * PAGE


def test_all_memories_of_a_module_count(runtime: WasmRuntime, store: Store) -> None:
    instance = store.instantiate(runtime.compile(MODULE), {}, charged=True)
    grow, other = (instance.function(name, "I", "i") for name in ("grow", "grow_other"))
    assert (other(1), grow(2), grow(1), other(1), grow(1)) == (1, -1, 2, -1, -1)
    assert store.budget is not None
    assert (store.budget.used, store.budget.rejects) == (5 * PAGE, 3)


def test_a_modules_own_maximum_is_no_refusal(runtime: WasmRuntime) -> None:
    store = runtime.store(Budget(100 * PAGE))
    instance = store.instantiate(runtime.compile(MODULE), {}, charged=True)
    assert instance.function("grow", "I", "i")(7) == -1
    assert store.budget is not None
    assert (store.budget.used, store.budget.rejects) == (3 * PAGE, 0)
    store.close()


def test_only_what_is_charged_counts(runtime: WasmRuntime, store: Store) -> None:
    store.new_memory(90)
    instance = store.instantiate(runtime.compile(MODULE), {})
    assert instance.function("grow_other", "I", "i")(90) == 1
    assert store.budget is not None
    assert store.budget.used == 0


def test_static_limits_are_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm_store, "problem", lambda: "not on this machine")
    runtime = WasmRuntime(PublicLayer())
    assert runtime.budget_problem == "not on this machine"
    store = runtime.store(Budget(4 * PAGE))
    instance = store.instantiate(runtime.compile(MODULE), {}, charged=True)
    grow = instance.function("grow", "I", "i")
    assert (grow(3), grow(2), grow(1)) == (-1, 2, -1)
    store.close()
    store = runtime.store(Budget(PAGE))
    with pytest.raises(LinkError):
        store.instantiate(runtime.compile(MODULE), {}, charged=True)
    store.close()

"""The memories that the runtime makes: guards, initial data, and what holds where they can't be made."""

from __future__ import annotations

import ctypes
import errno
import operator
from collections.abc import Callable, Iterator
from functools import partial
from threading import get_ident
from typing import Any

import pytest
import wasmtime

from marine_runtime import LinkError, LoadError, TrapError
from marine_runtime.calls.limits import blame
from marine_runtime.wasm import Store, WasmRuntime
from marine_runtime.wasm import memory_creator as creators
from marine_runtime.wasm import runtime as wasm_runtime
from marine_runtime.wasm.arena import Arena
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.machine_code import MachineCode
from marine_runtime.wasm.memory_creator import memory_creator
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
        module = runtime.deserialize(module.serialize(), module.shape)
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
    monkeypatch.setattr(wasm_runtime, "problem", lambda: "not on this machine")
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


class StopError(BaseException):
    """Raised by handlers of signals."""


class Interrupted(Budget):
    """A budget during whose payments a signal is handled, when it says so."""

    __slots__ = ("stops",)

    def __init__(self) -> None:
        super().__init__(8 * PAGE)
        self.stops = False

    def take(self, size: int) -> bool:
        taken = super().take(size)
        if self.stops:
            raise StopError
        return taken


def test_signals_while_a_memory_grows(runtime: WasmRuntime) -> None:
    budget = Interrupted()
    store = runtime.store(budget)
    instance = store.instantiate(runtime.compile(MODULE), {}, charged=True)
    grow = instance.function("grow", "I", "i")
    budget.stops = True
    used = budget.used
    with pytest.raises(StopError):
        grow(1)
    assert instance.memory is not None
    with pytest.raises(StopError):
        instance.memory.grow(1)
    with pytest.raises(StopError):
        store.instantiate(runtime.compile(MODULE), {}, charged=True)
    budget.stops = False
    assert (budget.used, budget.rejects) == (used + 2 * PAGE, 0)  # the last one is not given back
    assert (grow(1), instance.memory.grow(1), grow(0)) == (2, True, 4)
    store.close()


def test_signals_at_the_entries(runtime: WasmRuntime) -> None:
    """No value of a callback is undefined, and nothing that a handler raises is lost."""
    creator = memory_creator()
    store = runtime.store(Budget())
    known = set(creator._made)
    instance = store.instantiate(runtime.compile(MODULE), {}, charged=True)
    made = sorted(set(creator._made) - known)
    assert len(made) == 2
    assert entered(partial(creator._grow, made[0], 3 * PAGE)) == 0
    with pytest.raises(StopError):
        instance.function("grow", "I", "i")(0)
    with creator.charging(None, store.parking):
        assert entered(partial(creator._new_memory, 0, 0, 0, 0, 0, 0, 0)) == 0
    assert isinstance(store.parking.exception, StopError)
    store.parking.exception = None
    assert entered(partial(creator._finalize, made[0])) is None
    assert set(made) <= set(creator._made)
    assert list(creator._left) == [made[0]]
    creator._left.clear()
    with pytest.raises(StopError):
        store.close()
    assert not set(made) & set(creator._made)


def entered(function: Callable[[], Any]) -> Any:
    """The result of `function`, which is no Python, when StopError is raised where it enters Python."""
    raise_in = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )
    calls: tuple[Callable[[], Any], ...] = (partial(raise_in, get_ident(), StopError), function)
    return list(map(operator.call, calls))[1]


def test_growth_that_the_system_refuses(runtime: WasmRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = memory_creator()
    store = runtime.store(Budget())
    instance = store.instantiate(runtime.compile(MODULE), {}, charged=True)
    assert store.budget is not None
    used = store.budget.used

    def refuse(*_: object) -> int:
        ctypes.set_errno(errno.ENOMEM)
        return -1

    with monkeypatch.context() as patch:
        patch.setattr(creator, "_protect", refuse)
        assert instance.function("grow", "I", "i")(1) == -1
        with pytest.raises(LinkError, match=r"the system refuses a memory: Cannot allocate memory \(RLIMIT_AS"):
            store.instantiate(runtime.compile(MODULE), {})
    assert (store.budget.used, store.budget.rejects) == (used, 1)
    told = blame(TrapError("wasm trap: unreachable"), 1, store.budget)
    assert str(told).startswith("a growth of memory was refused by the system: Cannot allocate memory (RLIMIT_AS, ")
    store.close()


def test_a_policy_against_new_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[int]:
        raise OSError(errno.EACCES, "the memory creator's page can't be made executable")

    monkeypatch.setattr(Arena, "executable", refuse)
    monkeypatch.setattr(creators, "speedups", lambda: None)
    monkeypatch.setattr(creators, "machine_code", lambda: MachineCode(b"", b"", b""))
    with pytest.raises(LoadError, match=r"can't be made executable; a policy of the system .*PR_SET_MDWE"):
        creators.MemoryCreator()


def test_a_store_that_a_signal_left_unmade() -> None:
    Store.__new__(Store).__del__()

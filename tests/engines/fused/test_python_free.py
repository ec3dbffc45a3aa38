"""Calls between modules never enter Python, and a batch enters Wasm once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from marine_gen.generate import Description, ExternModule, ImportedFunction, Named, Vector
from marine_runtime import Service
from marine_runtime.types import Prim
from marine_runtime.wasm.fast import FastLayer
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import guests, load, outcome
from tests.support.troubles import NAMED

CALLS = 1000
TEXT = function("text", Prim.STRING)
LIST = function("list", Vector(Named("Named")))
MANY = function("many", Prim.STRING)
# Calls the import that many times before it returns the argument.
LOOP = f"""
  (loop $next
    (call $import0 (local.get 0) (local.get 1))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (br_if $next (i32.lt_u (global.get $count) (i32.const {CALLS}))))
  (global.set $count (i32.const 0))"""


def modules() -> dict[str, bytes]:
    inner = echo_module(Description((NAMED,), (TEXT, LIST)), Memory())
    imported = ExternModule("inner", tuple(map(ImportedFunction, (TEXT, LIST))))
    outer = echo_module(
        Description((NAMED,), (TEXT, LIST, MANY), (imported,)),
        Memory(),
        {"many": LOOP},
        "(global $count (mut i32) (i32.const 0))",
    )
    return {"inner": inner, "outer": outer}


@pytest.fixture(autouse=True)
def no_greenlets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs with greenlets pay more for a call, and other tests of this process import them."""
    monkeypatch.delitem(sys.modules, "greenlet", raising=False)


def python_calls(work: Callable[[], Any]) -> Counter[str]:
    """The Python functions that run during `work`, as often as they do; the fewest of some times.

    The first call after a pause has more to do, see `calls/guard.py`, and a busy machine makes pauses.
    """
    return min((_python_calls(work) for _ in range(5)), key=Counter.total)


def _python_calls(work: Callable[[], Any]) -> Counter[str]:
    seen: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            seen[frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return seen


def test_calls_between_modules_stay_in_wasm() -> None:
    with load(modules(), "fused") as service:
        entry = service.modules.outer.many
        entry = getattr(entry, "__wrapped__", entry)  # in Python, also where calls are in C
        assert entry("é" * 10) == "é" * 10
        seen = python_calls(lambda: entry("é" * 10))
        assert sum(seen.values()) < 12, seen
        assert seen["core"] == 1
        # The same work as closures, for comparison: Python runs for every call.
    with load(modules(), "closures") as service:
        seen = python_calls(lambda: service.modules.outer.many("é" * 10))
        assert seen["callback"] == CALLS


def test_the_benchmark_guests_stay_in_wasm() -> None:
    with load(guests("bench_effector", "bench_pure"), "fused") as service:
        signature = service.interface.modules["bench_pure"].functions["call_many"]
        args = [{Prim.STRING: "x" * 16}.get(param.type, CALLS) for param in signature.params]
        service.call("bench_pure", "call_many", args)
        seen = python_calls(lambda: service.call("bench_pure", "call_many", args))
        assert sum(seen.values()) < 30, seen  # of thousands of calls between modules


def test_no_callback_is_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only way from Wasm into Python is the stub's complaint about calls before linking, one for each stub."""
    made: list[tuple[str, str]] = []
    make = FastLayer.host_function

    def note(self: FastLayer, store: Any, params: str, results: str, target: Any) -> Any:
        made.append((params, results))
        return make(self, store, params, results, target)

    monkeypatch.setattr(FastLayer, "host_function", note)
    with load(modules(), "fused") as service:
        assert made == [("i", "")]
        assert service.call("outer", "list", [[(1, "a")]])
    made.clear()
    with load(modules(), "closures"):
        assert len(made) == 2


@pytest.mark.parametrize("count", [1, 10, CALLS])
def test_a_batch_enters_wasm_once(count: int) -> None:
    with load(modules(), "fused") as service:
        rows = [["é" * 10]] * count
        assert service.call_batch("outer", "text", rows) == ["é" * 10] * count
        seen = python_calls(lambda: service.call_batch("outer", "text", rows))
        assert seen["core"] == 1
        per_row = {name for name, times in seen.items() if times >= count} if count > 1 else set()
        # Only what looks at arguments and results: their closer check, as they are not ASCII, and the decoding.
        assert "call" not in per_row
        assert "callback" not in seen


def test_failures_enter_once_more_each() -> None:
    def entries(service: Service, rows: list[list[Any]]) -> int:
        return python_calls(lambda: service.call_batch("failing", "failing", rows))["core"]

    with load(guests("failing"), "fused") as service:
        assert outcome(lambda: service.call("failing", "failing")).error
        assert entries(service, [[]] * 7) == 7

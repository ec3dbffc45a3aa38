"""Endless recursion is a trap, whatever the stack of the thread: never the end of the process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import marine_gen
from marine_gen import HostFunction
from marine_gen.generate import Description
from marine_runtime import LoadError, Service, TrapError
from marine_runtime.calls.limits import check_stack
from marine_runtime.pool import ServicePool
from marine_runtime.types import Prim
from marine_runtime.wasm.stack import DEFAULT, default_stack, thread_stack
from tests.support.children import run_python
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import Configuration, load
from tests.support.greedy import greedy
from tests.support.samples import sampled

MIB = 1 << 20


def chain() -> dict[str, bytes]:
    return {"first": greedy(), "second": greedy(import_from="first"), "third": greedy(import_from="second")}


def deep_host_caller() -> bytes:
    """A module that calls the host at every depth, down to where its stack ends."""
    return echo_module(
        Description(functions=(function("dive"),)),
        Memory(),
        {"dive": "(call $down)"},
        "(func $down (call $host) (call $down) (call $host))",
        head='(import "host" "ping" (func $host))',
    )


def nested_ping(levels: int) -> Callable[[], None]:
    """A host function that takes stack itself, by calls of Python that go through C."""

    def ping() -> None:
        def down(level: int) -> int:
            return max(map(down, [level - 1])) if level else 0

        down(levels)

    return ping


def overflow(configuration: Configuration, size: int | None = None) -> list[str]:
    """Errors of services whose guests recurse for ever, loaded and called on this thread."""
    texts = []
    options: dict[str, Any] = {} if size is None else {"max_wasm_stack": size}
    with load(chain(), configuration.engine, configuration.call_layer, **options) as service:
        for module in ("first", "third"):
            with pytest.raises(TrapError) as caught:
                service.call(module, "recurse")
            texts.append(caught.value.reason)
        assert service.modules.third.plain("still here") == "still here"
    hosts = {"ping": HostFunction.of(nested_ping(20), [])}
    with load({"m": deep_host_caller()}, configuration.engine, configuration.call_layer, hosts, **options) as service:
        with pytest.raises(TrapError) as caught:
            service.modules.m.dive()
        texts.append(caught.value.reason)
    return texts


def on_a_thread(work: Callable[[], Any], stack: int) -> Any:
    """The result of `work` on a thread with `stack` bytes of stack; 0 for as much as the system gives."""
    found: list[Any] = []
    before = threading.stack_size(stack)
    try:
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(60)
    assert found
    return found[0]


def overflow_everywhere(*configurations: Configuration) -> None:
    """All of it; run as a process of its own."""
    for configuration in configurations:
        for work in (
            lambda: overflow(configuration),  # noqa: B023
            lambda: on_a_thread(lambda: overflow(configuration), 0),  # noqa: B023
            lambda: on_a_thread(lambda: overflow(configuration), MIB // 2),  # noqa: B023
        ):
            texts = work()
            assert len(texts) == 3
            assert all("call stack exhausted" in text for text in texts), texts
    sys.stdout.write("alive\n")


@pytest.mark.parametrize("which", sampled(["OFTEN", "CONFIGURATIONS"], "OFTEN".__eq__))
def test_recursion_on_every_thread(which: str) -> None:
    code = (
        "from tests.runtime.wasm.test_stack import overflow_everywhere; from tests.support import engines; "
        f"overflow_everywhere(*engines.{which})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


@pytest.mark.parametrize("stack", [16 * MIB, 8 * MIB, 4 * MIB, 2 * MIB, MIB // 2])
def test_the_default_suits_the_thread(stack: int) -> None:
    """Threads may have more than they asked for, when the C library has an old stack to give them."""
    available, size = on_a_thread(lambda: (thread_stack(), default_stack()), stack)
    assert available >= stack * 0.9
    assert size * 3 <= available
    assert size == DEFAULT == 2 * MIB or size * 6 > available


def test_marines_stack_is_the_default(serve: Callable[..., Service]) -> None:
    """A recursion that 512 KiB are too small for, as deep folds are."""
    deep = "(func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))"
    module = echo_module(
        Description(functions=(function("deep", Prim.S32),)),
        Memory(),
        {"deep": "(call $deep (local.get 0)) (local.get 0)"},
        deep,
    )
    with serve({"m": module}, max_wasm_stack=MIB // 2) as small, pytest.raises(TrapError, match="stack exhausted"):
        small.modules.m.deep(50_000)
    assert serve({"m": module}).modules.m.deep(50_000) == 50_000


@pytest.mark.parametrize("layer", ["fast", "public"])
def test_more_than_wasmtimes_own_limit(layer: Any) -> None:
    """It ended the process."""

    def deep() -> int:
        with marine_gen.load({"m": greedy()}, call_layer=layer, max_wasm_stack=3 * MIB) as service:
            assert service.call("m", "plain", ["x"]) == "x"
            with pytest.raises(TrapError, match="stack exhausted"):
                service.call("m", "recurse")
            return service._store.parking.trap[0]

    assert on_a_thread(deep, 16 * MIB) == 0


def test_workers_of_a_pool_survive() -> None:
    with ServicePool(partial(marine_gen.load, {"m": greedy()}), workers=2, kind="threads") as pool:
        found = pool.map("m", "recurse", [[]] * 6)
        assert [type(item) for item in found] == [TrapError] * 6
        assert pool.call("m", "plain", ["still here"]) == "still here"


def test_half_of_the_thread_is_the_most() -> None:
    def bounds() -> tuple[int | None, int, str]:
        """All on one thread: the system may give the next one the larger stack of a thread that has ended."""
        half = thread_stack() // 2
        with pytest.raises(LoadError) as caught:
            check_stack(half + 1)
        return check_stack(half), half, str(caught.value)

    accepted, half, message = on_a_thread(bounds, 2 * MIB)
    assert accepted == half
    assert message == f"max_wasm_stack must be from 65536 to {half} bytes on this thread, not {half + 1}"
    assert check_stack(None) is None


GUARDED = """
import ctypes
from marine_runtime import TrapError
from tests.support.engines import guests, load
with open("/proc/self/maps") as maps:
    end = next(int(line.split()[0].partition("-")[2], 16) for line in maps if line.endswith("[stack]\\n"))
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
wanted = end - (1 << 20) - (1 << 16)
assert libc.mmap(wanted, 1 << 14, 0, 0x32, -1, 0) == wanted
with load(guests("endless"), "fused", "fast", max_wasm_stack=1 << 18) as service:
    try:
        service.call("endless", "recurse")
    except TrapError as error:
        print("exhausted" in str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads the mappings of Linux")
def test_a_stack_that_other_code_has_shortened() -> None:
    """As a Java machine does, which leaves the main thread one megabyte."""
    done = run_python("-c", GUARDED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")

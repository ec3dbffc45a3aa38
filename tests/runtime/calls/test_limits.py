"""Memory, time and stack of services are bounded, to the page and within milliseconds; and life goes on afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen import HostFunction
from marine_gen.generate import Description
from marine_runtime import (
    ArgumentError,
    CallError,
    CallTimeoutError,
    LoadError,
    MemoryLimitError,
    Service,
    ServiceConfig,
    ServiceState,
    TrapError,
)
from marine_runtime.wasm import open_runtime
from marine_runtime.wasm.memory_creator import memory_creator
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import Configuration, load
from tests.support.greedy import PAGE, endless_helper, greedy, growing_table

Serve = Callable[..., Service]

TIMEOUT = 0.08
LATE = 2.0
"""Seconds of its own processor time that a call is given beyond its limit; it takes some 10 ms."""
LONG = 60.0


def budget(pages: float) -> ServiceConfig:
    return ServiceConfig(total_memory_limit=int(pages * PAGE))


def forwarding() -> dict[str, bytes]:
    return {"first": greedy(), "second": greedy(import_from="first"), "third": greedy(import_from="second")}


class TestMemory:
    """The budget of docs/spec/calls.md#memory-limit."""

    @pytest.mark.host_side
    def test_growth_is_refused_at_the_exact_page(self, serve: Serve) -> None:
        service = serve({"m": greedy()}, config=budget(4))
        grow = service.modules.m.grow
        assert [grow(2), grow(2), grow(1), grow(1), grow(0)] == [1, 2**32 - 1, 3, 2**32 - 1, 4]
        found = service.statistics()
        assert (found.used, found.rejects, found.limit) == (4 * PAGE, 2, 4 * PAGE)
        assert service.state is ServiceState.READY
        assert service.modules.m.plain("x") == "x"

    @pytest.mark.host_side
    def test_a_byte_less_is_a_page_less(self, serve: Serve) -> None:
        service = serve({"m": greedy()}, config=ServiceConfig(total_memory_limit=3 * PAGE - 1))
        assert [service.modules.m.grow(1), service.modules.m.grow(1)] == [1, 2**32 - 1]

    @pytest.mark.host_side
    def test_modules_share_one_budget(self, serve: Serve) -> None:
        service = serve({"a": greedy(pages=2), "b": greedy(pages=3)}, config=budget(7))
        assert service.statistics().used == 5 * PAGE
        assert service.modules.a.grow(1) == 2
        assert service.modules.b.grow(2) == 2**32 - 1
        assert service.modules.b.grow(1) == 3
        assert service.modules.a.grow(1) == 2**32 - 1
        assert service.statistics().memory == {"a": 3 * PAGE, "b": 4 * PAGE}

    @pytest.mark.host_side
    def test_tables_count_eight_bytes_an_element(self, configuration: Configuration) -> None:
        modules = {"m": greedy(table=1000)}
        limit = PAGE + 8000
        with load(modules, *_of(configuration), config=ServiceConfig(total_memory_limit=limit)) as service:
            assert service.statistics().used == limit
        with pytest.raises(MemoryLimitError) as caught:
            load(modules, *_of(configuration), config=ServiceConfig(total_memory_limit=limit - 1))
        assert (caught.value.rejects, caught.value.limit) == (1, limit - 1)

    @pytest.mark.host_side
    def test_initial_memory_may_be_refused(self, serve: Serve) -> None:
        with pytest.raises(LoadError) as caught:
            serve({"a": greedy(pages=2), "b": greedy(pages=3)}, config=budget(4))
        assert isinstance(caught.value, MemoryLimitError)
        assert str(caught.value) == (
            "a growth of memory was refused by the limit of 262144 bytes, then: "
            "module `b`: the memory limit of the service does not allow it"
        )
        with serve({"a": greedy(pages=2), "b": greedy(pages=3)}, config=budget(5)) as service:
            assert service.modules.b.plain("x") == "x"

    @pytest.mark.host_side
    def test_an_initialiser_may_want_too_much(self, serve: Serve) -> None:
        start = "(if (i32.eq (memory.grow (i32.const 9)) (i32.const -1)) (then unreachable))"
        with pytest.raises(MemoryLimitError, match="then: wasm trap: wasm `unreachable`") as caught:
            serve({"m": greedy(start=start)}, config=budget(4))
        assert isinstance(caught.value.__cause__, TrapError)
        assert serve({"m": greedy(start=start)}, config=budget(10)).statistics().used == 10 * PAGE

    def test_a_guest_that_fills_its_memory(self, serve: Serve) -> None:
        service = serve(forwarding(), config=budget(20))
        for module in ("first", "third"):
            with pytest.raises(MemoryLimitError) as caught:
                service.call(module, "fill")
            assert (caught.value.rejects, caught.value.limit) == (1, 20 * PAGE)
            assert caught.value.site is not None
            assert caught.value.site.module == module
            assert isinstance(caught.value.__cause__, TrapError)
        assert service.statistics().used == 20 * PAGE
        assert service.state is ServiceState.FAILED
        assert service.call("third", "plain", ["still here"]) == "still here"

    def test_a_block_that_is_refused(self, serve: Serve) -> None:
        service = serve({"m": greedy(fresh=True)}, config=budget(2))
        text = "x" * 3 * PAGE
        with pytest.raises(MemoryLimitError, match="then: `allocate` returned 0") as caught:
            service.call("m", "plain", [text])
        assert caught.value.rejects == 1
        with pytest.raises(MemoryLimitError):
            service.call_json("m", "plain", f'["{text}"]')
        (found,) = service.call_batch("m", "plain", [[text]])
        assert isinstance(found, MemoryLimitError)
        assert found.rejects == 1

    def test_a_refusal_is_not_blamed_for_later_failures(self, serve: Serve) -> None:
        service = serve({"m": greedy()}, config=budget(2))
        assert service.modules.m.grow(9) == 2**32 - 1
        with pytest.raises(TrapError, match="call stack exhausted") as caught:
            service.modules.m.recurse()
        assert not isinstance(caught.value, MemoryLimitError)

    @pytest.mark.costly
    def test_what_the_runtime_needs_is_not_counted(self, serve: Serve) -> None:
        service = serve(forwarding(), config=budget(40))
        text = "x" * PAGE
        assert service.call_batch("third", "plain", [[text]] * 100) == [text] * 100
        with serve({"m": greedy()}, config=budget(1)) as small:
            assert small.statistics().used == PAGE
            assert small.call_batch("m", "plain", [[""]] * 5000) == [""] * 5000

    @pytest.mark.host_side
    def test_without_a_limit_growth_is_only_counted(self, serve: Serve) -> None:
        service = serve({"m": greedy()})
        assert service.modules.m.grow(99) == 1
        found = service.statistics()
        assert (found.used, found.rejects, found.limit) == (100 * PAGE, 0, None)

    @pytest.mark.host_side
    def test_memories_are_given_back(self, serve: Serve) -> None:
        made = memory_creator()._made
        before = len(made)
        with serve(forwarding()):
            assert len(made) >= before + 3
        assert len(made) == before
        with pytest.raises(MemoryLimitError):
            serve(forwarding(), config=budget(2))
        assert len(made) == before


class TestTables:
    """Tables count 8 bytes for every element, initial or added (docs/spec/calls.md#memory-limit)."""

    @pytest.mark.host_side
    def test_growth_is_refused_at_the_exact_element(self, serve: Serve) -> None:
        limit = 2 * PAGE + 8 * (2 + 2 + 10)
        modules = {"a": growing_table(), "b": growing_table()}
        service = serve(modules, config=ServiceConfig(total_memory_limit=limit))
        first, second = (service.modules[name]["grow_table"] for name in ("a", "b"))
        assert [first(6), second(5), second(4), first(1), first(0)] == [2, 2**32 - 1, 2, 2**32 - 1, 8]
        found = service.statistics()
        assert (found.used, found.rejects) == (limit, 2)
        assert service.state is ServiceState.READY
        assert service.call_batch("a", "grow_table", [[1], [0]]) == [2**32 - 1, 8]

    @pytest.mark.host_side
    def test_growth_leaves_less_for_memories(self, serve: Serve) -> None:
        service = serve({"t": growing_table(), "m": greedy()}, config=ServiceConfig(total_memory_limit=3 * PAGE + 16))
        assert service.modules.t.grow_table(1) == 2
        assert service.modules.m.grow(1) == 2**32 - 1
        assert service.modules.t.grow_table(PAGE // 8 - 1) == 3
        assert service.statistics().used == 3 * PAGE + 16

    @pytest.mark.host_side
    def test_without_a_limit_growth_is_only_counted(self, serve: Serve) -> None:
        service = serve({"t": growing_table()})
        assert service.modules.t.grow_table(100_000) == 2
        # What tables start with is looked up for a limit only.
        assert (service.statistics().used, service.statistics().rejects) == (PAGE + 8 * 100_000, 0)

    def test_code_that_is_compiled_again(self, tmp_path: Path) -> None:
        marine_gen.build({"t": growing_table()}, tmp_path / "built")
        for code in (tmp_path / "built").glob("*.cwasm"):
            code.unlink()
        for engine in ("fused", "closures", "interpreter"):
            config = ServiceConfig(total_memory_limit=PAGE + 8 * 3)
            with marine_gen.load(tmp_path / "built", engine=engine, config=config) as service:
                assert [service.modules.t.grow_table(2), service.modules.t.grow_table(1)] == [2**32 - 1, 2]


class TestTime:
    """Calls with a time limit."""

    def test_a_guest_that_loops(self, serve: Serve) -> None:
        service = serve(forwarding())
        for module in ("first", "third"):
            error = _timed_out(lambda: service.call(module, "loop", timeout=TIMEOUT))  # noqa: B023
            assert error.reason.endswith("interrupted, as it took longer than 0.08 s")
            assert isinstance(error, CallError)
            assert isinstance(error, TimeoutError)
            assert error.site is not None
            assert error.site.module == module
        assert service.state is ServiceState.FAILED
        assert service.call("third", "plain", ["still here"]) == "still here"
        time.sleep(2 * TIMEOUT)
        assert service.call("third", "plain", ["still here"], timeout=LONG) == "still here"

    @pytest.mark.parametrize("helper", ["allocate", "get_result_ptr", "release_objects"])
    def test_an_abi_helper_that_loops(self, serve: Serve, helper: str) -> None:
        service = serve({"m": endless_helper(helper)}, timeout=TIMEOUT)
        _timed_out(lambda: service.modules.m.plain("x"))
        _timed_out(lambda: service.call("m", "plain", ["x"]))
        _timed_out(lambda: service.call_json("m", "plain", '["x"]'))
        _timed_out(lambda: service.call_json("m", "plain", '["x"]', timeout=TIMEOUT / 2))

    def test_host_functions_run_to_their_end(self, serve: Serve) -> None:
        """The limit ends the call at the next loop or function entry of the guest."""
        ended: list[bool] = []

        def wait() -> None:
            time.sleep(3 * TIMEOUT)
            ended.append(True)

        module = echo_module(
            Description(functions=(function("f"),)),
            Memory(),
            {"f": "(call $host) (loop $l (br $l))"},
            head='(import "host" "wait" (func $host))',
        )
        service = serve({"m": module}, host_functions={"wait": HostFunction.of(wait, [])})
        _timed_out(lambda: service.call("m", "f", timeout=TIMEOUT))
        assert ended == [True]

    def test_a_batch_has_one_limit(self, serve: Serve) -> None:
        service = serve({"m": greedy()})
        start, used = time.monotonic(), time.thread_time()
        found = service.call_batch("m", "loop", [[]] * 5, timeout=TIMEOUT)
        assert time.monotonic() - start >= TIMEOUT
        assert time.thread_time() - used < TIMEOUT + LATE
        assert [type(item) for item in found] == [CallTimeoutError] * 5

    def test_loading_has_the_same_limit(self, serve: Serve) -> None:
        with pytest.raises(CallTimeoutError, match="initialiser `_initialize`: interrupted"):
            serve({"m": greedy(start="(loop $l (br $l))")}, timeout=TIMEOUT)

    def test_several_limits_at_once(self, configuration: Configuration) -> None:
        """Each of some services on threads of their own is stopped at its own time."""
        late: dict[float, float] = {}

        def work(timeout: float) -> None:
            with load({"m": greedy()}, *_of(configuration)) as service:
                start, used = time.monotonic(), time.thread_time()
                try:
                    service.call("m", "loop", timeout=timeout)
                except CallTimeoutError:
                    assert time.monotonic() - start >= timeout
                    late[timeout] = time.thread_time() - used - timeout

        threads = [threading.Thread(target=work, args=(timeout,)) for timeout in (0.15, 0.05)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert sorted(late) == [0.05, 0.15]
        assert all(item < LATE for item in late.values())

    def test_the_watchdog_goes_when_it_has_nothing_to_do(self, configuration: Configuration) -> None:
        watchdog = open_runtime(configuration.call_layer)._watchdog
        with load({"m": greedy()}, *_of(configuration)) as service:
            service.call("m", "plain", ["x"], timeout=0.5)
            end = time.monotonic() + LONG
            while watchdog.running and time.monotonic() < end:
                time.sleep(0.02)
            assert not watchdog.running
            service.call("m", "plain", ["x"])  # without a limit
            while watchdog.running and time.monotonic() < end:
                time.sleep(0.02)
            assert not watchdog.running

    def test_a_busy_service_keeps_its_deadline(self, serve: Serve) -> None:
        """A host function that calls back is refused before it can move the deadline of the call that it serves."""
        caught: list[str] = []

        def callback() -> None:
            try:
                service.call("m", "f", timeout=1000)
            except Exception as error:
                caught.append(type(error).__name__)

        module = echo_module(
            Description(functions=(function("f"),)),
            Memory(),
            {"f": "(call $host) (loop $l (br $l))"},
            head='(import "host" "callback" (func $host))',
        )
        service = serve({"m": module}, host_functions={"callback": HostFunction.of(callback, [])})
        _timed_out(lambda: service.call("m", "f", timeout=TIMEOUT))
        assert caught == ["StateError"]

    @pytest.mark.host_side
    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "1"])
    def test_odd_limits(self, serve: Serve, timeout: Any) -> None:
        service = serve({"m": greedy()})
        with pytest.raises(ArgumentError, match="a time limit must be a positive number of seconds"):
            service.call("m", "plain", ["x"], timeout=timeout)
        with pytest.raises(ArgumentError, match="a time limit must be a positive number of seconds"):
            serve({"m": greedy()}, timeout=timeout)
        assert service.call("m", "plain", ["x"], timeout=1e300) == "x"


class TestStack:
    """Recursion without an end."""

    def test_a_guest_that_recurses(self, serve: Serve) -> None:
        service = serve(forwarding())
        for module in ("first", "third"):
            with pytest.raises(TrapError, match="call stack exhausted"):
                service.call(module, "recurse")
        assert service.state is ServiceState.FAILED
        assert service.call("third", "plain", ["still here"]) == "still here"

    def test_a_larger_stack(self, configuration: Configuration) -> None:
        with load({"m": greedy()}, *_of(configuration), max_wasm_stack=1 << 20) as service:
            with pytest.raises(TrapError, match="call stack exhausted"):
                service.modules.m.recurse()
            assert service.modules.m.plain("x") == "x"

    @pytest.mark.host_side
    @pytest.mark.parametrize("size", [0, -1, 1 << 40, True, "1"])
    def test_odd_stacks(self, serve: Serve, size: Any) -> None:
        with pytest.raises(LoadError, match="max_wasm_stack"):
            serve({"m": greedy()}, max_wasm_stack=size)


class TestState:
    """The state of a service, as it reports it."""

    def test_from_ready_to_closed(self, serve: Serve) -> None:
        seen: list[ServiceState] = []
        fail = [False]

        def callback() -> None:
            seen.append(service.state)
            if fail[0]:
                raise KeyError("mine")

        module = echo_module(
            Description(functions=(function("f"),)),
            Memory(),
            {"f": "(call $host)"},
            head='(import "host" "callback" (func $host))',
        )
        service = serve({"m": module}, host_functions={"callback": HostFunction.of(callback, [])})
        assert service.state is ServiceState.READY
        service.modules.m.f()
        assert seen == [ServiceState.BUSY]
        assert service.state is ServiceState.READY
        with pytest.raises(ArgumentError):
            service.call("m", "f", [1])
        assert service.state is ServiceState.READY
        fail[0] = True
        with pytest.raises(KeyError):
            service.modules.m.f()
        assert service.state is ServiceState.FAILED
        service.close()
        assert service.state is ServiceState.CLOSED


def _of(configuration: Configuration) -> tuple[str, str]:
    return configuration.engine, configuration.call_layer


def _timed_out(call: Callable[[], Any]) -> CallTimeoutError:
    """The error of a call that takes too long, when it comes in time.

    Measured in its own processor time: it spins, and how long others keep the processor is not its fault.
    """
    used = time.thread_time()
    with pytest.raises(CallTimeoutError) as caught:
        call()
    assert time.thread_time() - used < TIMEOUT + LATE
    return caught.value

"""Services from loading to closing: who may call when, and that everything is given back."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.generate import Description
from marine_runtime import Service, StateError
from marine_runtime.errors import MarineError
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import Configuration, guests, load
from tests.support.memory_use import memories
from tests.support.troubles import modules

Serve = Callable[..., Service]
SHREK = guests("donkey", "shrek")

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def in_thread(work: Callable[[], Any]) -> Any:
    """The result of `work` in another thread; what it raises is raised here."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert found, "the thread hangs"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def ways(service: Service) -> list[Callable[[], Any]]:
    """All ways of calling one function."""
    kept = service.modules.shrek.greeting
    return [
        lambda: kept("x"),
        lambda: service.modules.shrek.greeting("x"),
        lambda: service.modules["shrek"]["greeting"](name="x"),
        lambda: service.call("shrek", "greeting", ["x"]),
        lambda: service.call_json("shrek", "greeting", '["x"]'),
    ]


def test_a_closed_service_refuses_calls(serve: Serve) -> None:
    service = serve(SHREK)
    calls = ways(service)
    assert not service.closed
    service.close()
    service.close()
    assert service.closed
    for call in calls:
        with pytest.raises(StateError) as caught:
            call()
        assert str(caught.value) == "service `donkey+shrek` is closed"
    assert "closed" in repr(service)


def test_a_service_is_a_context_manager(configuration: Configuration) -> None:
    with load(SHREK, configuration.engine, configuration.call_layer) as service:
        assert service.call("shrek", "greeting", ["x"])
        assert (service.engine, service.call_layer) == (configuration.engine, configuration.call_layer)
    assert service.closed


def test_another_thread_is_refused(serve: Serve) -> None:
    service = serve(SHREK)
    for call in [*ways(service), service.close]:
        with pytest.raises(StateError) as caught:
            in_thread(call)
        assert str(caught.value) == (
            "service `donkey+shrek` belongs to the thread that loaded it; load one service per thread"
        )
    assert service.call("shrek", "greeting", ["x"]) == ["Shrek: hi, x", "Donkey: hi, x"]


def test_wrong_arguments_leave_the_door_open(serve: Serve) -> None:
    service = serve(SHREK)
    for call in (
        lambda: service.modules.shrek.greeting(1),
        lambda: service.call("shrek", "greeting", [1]),
        lambda: service.call_json("shrek", "greeting", "[1]"),
        lambda: service.call_json("shrek", "greeting", "{"),
        lambda: service.call("shrek", "greeting", "x"),
    ):
        with pytest.raises(MarineError):
            call()
        assert service.call("shrek", "greeting", ["x"])


def test_a_dropped_service_goes_away(configuration: Configuration) -> None:
    """Also one that has called host functions and has failed: nothing keeps it alive but its user."""

    def callback(text: str) -> str:
        raise ValueError(text)

    with load(modules("trap_chain"), configuration.engine, configuration.call_layer) as service:
        with pytest.raises(MarineError):
            service.call("third", "f", ["x"])
        service = load(guests("call_parameters"), configuration.engine, configuration.call_layer)
    service.call("call_parameters", "call_parameters")
    seen = [weakref.ref(service), weakref.ref(service._store)]
    del service
    gc.collect()
    assert [item() for item in seen] == [None, None]


@linux_only
@pytest.mark.parametrize("end", ["close", "drop"])
def test_memories_are_given_back(configuration: Configuration, end: str) -> None:
    gc.collect()
    before = memories()
    for _ in range(3):
        service = load(SHREK, configuration.engine, configuration.call_layer)
        service.call("shrek", "greeting", ["x"])
        assert memories() >= before + 2
        if end == "close":
            service.close()  # at once, although `service` is still there
            assert memories() <= before
        del service
    gc.collect()
    assert memories() <= before


@linux_only
@pytest.mark.parametrize("name", ["trap_in_start", "trap_in_initialize", "trap_in_main", "import_in_start"])
def test_a_failed_load_gives_everything_back(configuration: Configuration, name: str) -> None:
    gc.collect()
    before = memories()
    for _ in range(3):
        # The traceback keeps frames alive, and with them everything that was not freed explicitly.
        with pytest.raises(MarineError) as caught:
            load(modules(name), configuration.engine, configuration.call_layer)
        assert memories() <= before
    assert caught.value


def test_initialisers_run_in_order(serve: Serve) -> None:
    """`_initialize`, then `_start`, before anything else can be called (docs/spec/linking.md#instantiation)."""
    seen: list[int] = []
    fields = """
        (func (export "_start") (call $note (i32.const 2)))
        (func (export "_initialize") (call $note (i32.const 1)))
        (func $begin (call $count (i32.const 0))) (func $count (param i32)) (start $begin)"""
    module = echo_module(
        Description(functions=(function("f", Prim.STRING),)),
        Memory(),
        {"f": "(call $note (i32.const 3))"},
        fields,
        '(import "host" "note" (func $note (param i32)))',
    )
    functions = {"note": HostFunction.of(seen.append, [Prim.S32])}
    service = serve({"m": module}, host_functions=functions)
    assert seen == [1, 2]
    service.call("m", "f", ["x"])
    assert seen == [1, 2, 3]


def test_two_services_in_two_threads(configuration: Configuration) -> None:
    """Each waits, in the middle of its call, for the other to be in the middle of its own."""
    barrier = threading.Barrier(2)
    module = echo_module(
        Description(functions=(function("f", Prim.STRING),)),
        Memory(),
        {"f": "(call $meet) (global.set $ptr (local.get 0)) (global.set $size (local.get 1))"},
        head='(import "host" "meet" (func $meet))',
    )
    functions = {"meet": HostFunction.of(lambda: barrier.wait(30) and None)}

    def work() -> list[str]:
        with load({"m": module}, configuration.engine, configuration.call_layer, functions) as service:
            return [service.call("m", "f", [f"{name} {threading.get_ident()}"]) for name in "abc"]

    found: dict[int, list[str]] = {}
    threads = [threading.Thread(target=lambda index=index: found.update({index: work()})) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(set(item)) for item in found.values()] == [3, 3]
    assert found[0] != found[1]


def test_guests_run_beside_python(serve: Serve) -> None:
    """The interpreter lock is released while a guest runs: it waits for a byte that another thread writes."""
    wait = """
        (loop $again
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br_if $again (i32.and (i32.ne (local.get 0) (i32.const 0)) (i32.eqz (i32.load8_u (i32.const 0))))))
        (i32.load8_u (i32.const 0))"""
    module = echo_module(Description(functions=(function("f", Prim.U32),)), Memory(), {"f": wait})
    service = serve({"m": module})
    memory = service._linked["m"].instance.memory
    assert memory is not None
    view = memory.view

    def write() -> None:
        view[0] = 7

    timer = threading.Timer(0.05, write)
    timer.start()
    try:
        assert service.call("m", "f", [2**32 - 1]) == 7
    finally:
        timer.join()


def test_the_same_modules_twice(serve: Serve) -> None:
    """Services share compiled code and nothing else."""
    one, two = (serve(guests("records_passing_effector")) for _ in range(2))
    one.call("records_passing_effector", "pass_droppable_record", [((1,), []), []])
    assert one.call("records_passing_effector", "get_drop_count") > 0
    assert two.call("records_passing_effector", "get_drop_count") == 0

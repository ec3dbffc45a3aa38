"""Modules that are loaded into a running service and unloaded from it, on every configuration."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from marine_gen.artifact.workbench import Workbench, open_workbench
from marine_gen.diagnostics import DiagnosticError
from marine_runtime import U32, Service
from marine_runtime.calls.state import ServiceState
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import ArgumentError, CallError, LinkError, LoadError, MemoryLimitError, StateError
from marine_runtime.host.python_module import PythonModule
from marine_runtime.wasm import open_runtime, runtimes
from tests.support.engines import Configuration, assemble, guest, guests
from tests.support.greedy import PAGE, greedy, growing_table
from tests.support.wasi import wasi_guest

Bench = Callable[..., Workbench]
STARTING = '(module (func (export "_start") unreachable) (func (export "run")))'
ADAPTERS = """(@interface it_version "0.28.0")
(@interface type (func))
(@interface type (func))
(@interface export "run" (func 0))
(@interface func (type 1) call-core 0)
(@interface implement (func 0) (func 1))
"""
ANSWER = ["Shrek: hi, x", "Donkey: hi, x"]


@pytest.fixture
def bench(serve: Callable[..., Service], configuration: Configuration) -> Bench:
    """A service of some guests, into which others can be loaded."""

    def make(*names: str, **options: object) -> Workbench:
        modules = guests(*names)
        service = serve(modules, **options)
        return Workbench(service, modules, configuration.engine, open_runtime(configuration.call_layer))

    return make


def test_a_module_is_linked_behind_the_others(bench: Bench, configuration: Configuration) -> None:
    work = bench("donkey")
    assert work.service.next_ordinal == 1
    work.load("shrek", guest("shrek"))
    assert work.service.modules.shrek.greeting("x") == ANSWER
    assert work.service.call("donkey", "greeting", ["x"]) == "Donkey: hi, x"
    assert list(work.service.interface.modules) == ["donkey", "shrek"]
    assert list(work.service.wasi) == ["donkey", "shrek"]
    assert work.service.engine == configuration.engine
    assert "shrek - " in str(work.service.statistics())


def test_it_fails_as_a_module_that_was_there_from_the_start(bench: Bench, serve: Callable[..., Service]) -> None:
    work = bench("greeting")
    work.load("failing", guest("failing"))
    whole = serve(guests("greeting", "failing"))
    functions = [name for name, ty in whole.interface.modules["failing"].functions.items() if not ty.params]
    assert functions
    for function in functions:
        texts = []
        for service in (work.service, whole):
            try:
                texts.append(repr(service.call("failing", function)))
            except CallError as error:
                texts.append(str(error))
        assert texts[0] == texts[1]


def test_the_others_keep_their_state(bench: Bench) -> None:
    work = bench("greeting_record", "call_parameters")
    handle = work.service.modules.call_parameters
    fresh = work.service.statistics().memory["call_parameters"]
    handle.call_parameters()
    grown = work.service.statistics().memory["call_parameters"]
    assert grown > fresh
    work.load("donkey", guest("donkey"))
    work.unload("greeting_record")
    assert work.service.statistics().memory == {"call_parameters": grown, "donkey": fresh}
    assert handle.call_parameters() == work.service.modules.call_parameters.call_parameters()


def test_importers_keep_calling_what_was_unloaded(bench: Bench) -> None:
    work = bench("donkey", "shrek")
    assert work.importers("donkey") == ["shrek"]
    work.unload("donkey")
    assert list(work.service.modules) == ["shrek"]
    assert work.service.modules.shrek.greeting("x") == ANSWER
    with pytest.raises(ArgumentError, match=r"there is no module `donkey`; available: `shrek`"):
        work.service.call("donkey", "greeting", ["x"])
    assert work.stale
    work.load("donkey", guest("donkey"))
    work.load("shrek2", guest("shrek"))
    assert work.service.modules.shrek2.greeting("x") == ANSWER
    assert work.service.modules.shrek.greeting("x") == ANSWER


def test_unloaded_and_loaded_again(bench: Bench) -> None:
    work = bench("donkey")
    for _ in range(3):
        work.load("shrek", guest("shrek"), ModuleConfig(envs={"A": "1"}))
        assert work.service.wasi["shrek"].envs["A"] == "1"
        assert work.service.modules.shrek.greeting("x") == ANSWER
        work.unload("shrek")
    assert not work.stale
    assert "shrek" not in work.service.config.modules


def test_refused_modules_change_nothing(bench: Bench) -> None:
    work = bench("donkey", config=ServiceConfig(envs={"B": "2"}))
    before = work.service.config
    with pytest.raises(DiagnosticError, match="two modules are named `donkey`"):
        work.load("donkey", guest("donkey"))
    with pytest.raises(DiagnosticError, match="not a WebAssembly binary"):
        work.load("other", b"nothing")
    with pytest.raises(DiagnosticError, match="but there is no module `records_effector`"):
        work.load("pure", guest("records_pure"))
    with pytest.raises(ArgumentError, match="there is no module `nobody`"):
        work.unload("nobody")
    assert list(work.service.modules) == list(work.sources) == ["donkey"]
    assert work.service.config == before
    assert work.service.state is ServiceState.READY
    work.load("shrek", guest("shrek"))
    assert work.service.modules.shrek.greeting("x") == ANSWER


def test_an_initialiser_that_fails_leaves_the_others(bench: Bench) -> None:
    work = bench("donkey")
    for _ in range(2):  # its name is free again
        with pytest.raises(CallError, match="unreachable"):
            work.load("starting", assemble(STARTING, ADAPTERS))
    assert work.service.state is ServiceState.FAILED
    assert list(work.service.modules) == list(work.service.wasi) == ["donkey"]
    work.load("shrek", guest("shrek"))
    assert work.service.modules.shrek.greeting("x") == ANSWER
    work.load("failing", guest("failing"))
    with pytest.raises(CallError) as caught:
        work.service.modules.failing.failing()
    assert caught.value.site is not None
    assert caught.value.site.module == "failing"  # the numbers of those that failed are not used again


def test_python_modules_too(bench: Bench) -> None:
    work = bench("donkey")

    def double(number: U32) -> U32:
        return 2 * number

    work.service.load_module(PythonModule("numbers", {"double": double}))
    assert work.service.modules.numbers.double(4) == 8
    with pytest.raises(LinkError, match="a module named `numbers` is already loaded"):
        work.service.load_module(PythonModule("numbers", {"double": double}))
    work.load("shrek", guest("shrek"))
    assert work.service.modules.shrek.greeting("x") == ANSWER


def test_closed_services_take_no_modules(bench: Bench) -> None:
    work = bench("donkey")
    work.service.close()
    with pytest.raises(StateError, match="is closed"):
        work.load("shrek", guest("shrek"))
    with pytest.raises(StateError, match="is closed"):
        work.unload("donkey")
    assert list(work.sources) == ["donkey"]


@pytest.mark.filterwarnings("ignore:the fast call layer")
def test_reopened_without_the_fast_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that had to do without it has the same machine code in every new one."""
    monkeypatch.setattr(runtimes, "_shared_runtime", cache(runtimes._shared_runtime.__wrapped__))
    monkeypatch.setattr(runtimes.ffi, "problem", lambda: "not as expected")
    with ExitStack() as stack:
        first = open_workbench()
        stack.callback(first.service.close)
        first.load("donkey", guest("donkey"))
        second = first.reopened("closures")
        stack.callback(second.service.close)
        second.load("shrek", guest("shrek"))
        assert second.service.modules.shrek.greeting("x") == ANSWER


def test_directories_are_opened_together(bench: Bench, tmp_path: Path) -> None:
    mapped = ModuleConfig(mapped_dirs={"data": str(tmp_path / "made")})
    work = bench("greeting")
    work.load("donkey", guest("donkey"), mapped)
    assert (tmp_path / "made").is_dir()
    assert work.service.wasi["donkey"].mapped_dirs == {"data": str(tmp_path / "made")}
    work.load("wasi", wasi_guest())  # the first that uses WASI
    with pytest.raises(LoadError, match="maps directories, so it has to be loaded together with the service"):
        work.load("late", guest("donkey"), mapped)
    assert list(work.service.wasi) == ["greeting", "donkey", "wasi"]


def test_tables_of_later_modules_are_charged(serve: Callable[..., Service], configuration: Configuration) -> None:
    """Their first elements and those they get later, to the element, together with those that were there."""
    limit = 2 * PAGE + 8 * (2 + 2 + 10)
    modules = {"first": growing_table()}
    service = serve(modules, config=ServiceConfig(total_memory_limit=limit))
    work = Workbench(service, modules, configuration.engine, open_runtime(configuration.call_layer))
    with pytest.raises(MemoryLimitError, match=f"there is no room for its tables of {PAGE} elements"):
        work.load("second", greedy(table=PAGE))
    work.load("second", growing_table())
    first, second = (service.modules[name]["grow_table"] for name in ("first", "second"))
    assert [first(6), second(5), second(4), second(1), second(0)] == [2, 2**32 - 1, 2, 2**32 - 1, 6]
    found = service.statistics()
    assert (found.used, found.rejects) == (limit, 3)


def test_an_unloaded_module_is_not_imported(bench: Bench) -> None:
    """Later modules don't link to it, though its importers still call it."""
    work = bench("donkey", "shrek")
    work.unload("donkey")
    with pytest.raises(DiagnosticError, match=r"imports `donkey.greeting`, but there is no module `donkey`"):
        work.load("shrek2", guest("shrek"))


def test_unloading_frees_no_memory(serve: Callable[..., Service], configuration: Configuration) -> None:
    """The budget has room for two modules, whether one of them is unloaded or not."""
    modules = {"first": greedy()}
    service = serve(modules, config=ServiceConfig(total_memory_limit=2 * PAGE))
    work = Workbench(service, modules, configuration.engine, open_runtime(configuration.call_layer))
    work.load("second", greedy())
    work.unload("second")
    assert service.statistics().used == 2 * PAGE
    with pytest.raises(MemoryLimitError):
        work.load("third", greedy())

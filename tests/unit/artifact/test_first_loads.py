"""First loads: what they make, and the process that makes the rest."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen import python_backend
from marine_gen.artifact import build, cache_entries, clear_cache, completing, fuse, on_demand, tiers
from marine_gen.artifact.cache import Flavour, place_of
from marine_gen.artifact.marks import mark_of
from marine_gen.artifact.policy import complete_builds
from marine_gen.artifact.target import Source
from marine_gen.artifact.tiers import VARIABLE
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Vector
from marine_runtime import ArgumentError, PythonModule, Service, StateError, Tracer
from marine_runtime.artifact import PACK, read_pack
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import guests
from tests.support.paths import ROOT
from tests.support.pools import until

HELLO = guests("greeting")
CHAIN = guests("bench_effector", "bench_pure")
MANY = 12
FUNCTIONS = {"m": echo_module(Description((), tuple(function(f"f{n}", Prim.STRING) for n in range(MANY))), Memory())}


@pytest.fixture
def cache(cache_of_first_loads: Path) -> Path:
    return cache_of_first_loads


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The processes that would have been started."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(tiers, "_start", lambda *arguments: found.append(arguments))
    monkeypatch.setattr(tiers, "_waiting", {})
    return found


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The exported functions for which Python was generated, in this order."""
    found: list[str] = []
    real = python_backend.generate

    def generate(module: Any, **options: Any) -> Any:
        found.extend(module.exports)
        return real(module, **options)

    for owner in (on_demand, fuse):
        monkeypatch.setattr(owner, "generate", generate)
    return found


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_functions_are_generated_when_they_are_called(
    cache: Path, started: object, generated: list[str], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "FEW", 4)
    with marine_gen.load(FUNCTIONS, engine=engine) as service:
        assert list(service.modules.m) == [f"f{n}" for n in range(MANY)]
        assert len(service.interface.modules["m"].functions) == MANY
        assert not generated
        for _ in range(2):
            assert service.modules.m.f3("x") == "x"
            assert service.call_json("m", "f3", '["x"]') == '"x"'
            assert service.call_batch("m", "f3", [["x"], [1]])[0] == "x"
        assert generated == ["f3"]
        with marine_gen.load(FUNCTIONS, engine=engine) as other:  # of the same kind
            assert other.call("m", "f3", ["y"]) == "y"
            assert generated == ["f3"]
            assert other.call("m", "f4", ["y"]) == "y"
            assert service.call("m", "f4", ["y"]) == "y"
            assert generated == ["f3", "f4"]
        for number in range(5):
            assert service.call("m", f"f{number}", ["z"]) == "z"
        assert sorted(generated) == sorted(f"f{n}" for n in range(MANY)), "those that are left come together"
        assert service.call("m", f"f{MANY - 1}", ["z"]) == "z"


def test_a_build_has_all_functions(tmp_path: Path, generated: list[str]) -> None:
    build(Source("m", FUNCTIONS), tmp_path / "m", complete=False)
    assert sorted(generated) == sorted(f"f{n}" for n in range(MANY))


def test_the_second_load_is_complete(cache: Path, started: list[tuple[str, ...]]) -> None:
    for kinds in (HELLO, CHAIN):
        with marine_gen.load(kinds):
            pass
    assert not cache_entries()
    assert len(started) == 1, "one process for all"
    for entries in (1, 1):
        with marine_gen.load(HELLO) as service:
            assert service.modules.greeting.greeting("x") == "Hi, x"
        assert len(cache_entries()) == entries
    place = place_of(Source("greeting", HELLO), Flavour("fused"))
    assert place is not None
    assert not mark_of(place).exists()
    clear_cache()
    assert not list((cache / "first-loads").glob("*"))


@pytest.mark.parametrize("relative", [False, True])
def test_the_process_completes_what_was_loaded(cache: Path, monkeypatch: pytest.MonkeyPatch, relative: bool) -> None:
    monkeypatch.setattr(tiers, "_waiting", {})
    if relative:  # the process has another working directory
        monkeypatch.chdir(cache.parent)
        monkeypatch.setenv("MARINE_GEN_CACHE", cache.name)
    with marine_gen.load(HELLO), marine_gen.load(CHAIN), marine_gen.load(HELLO, engine="closures"):
        until(lambda: len(cache_entries()) == 3)
        until(lambda: not list((cache / "first-loads").glob("*")))
    until(lambda: not list(cache.glob(".*-optimised-*")))
    monkeypatch.setattr(tiers, "on_demand", lambda *_, **__: pytest.fail("it is in the cache"))
    with marine_gen.load(HELLO) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"


@pytest.mark.parametrize("how", ["copied", "a file is gone", "no pack"])
def test_an_entry_that_is_not_as_it_was(cache: Path, started: list[tuple[str, ...]], how: str) -> None:
    """It is compared, and built again where it is damaged: nobody would do that after another first load."""
    with complete_builds(), marine_gen.load(HELLO):
        pass
    (entry,) = cache_entries()
    if how == "copied":
        shutil.copytree(entry, cache / "copy")
        shutil.rmtree(entry)
        (cache / "copy").rename(entry)
    else:
        (entry / {"a file is gone": "greeting.cwasm", "no pack": PACK}[how]).unlink()
    assert read_pack(str(entry)) is None
    with marine_gen.load(HELLO) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    assert not started
    assert read_pack(str(entry)) is not None


@pytest.mark.slow
def test_programs_that_end_soon_start_no_compiler(cache: Path) -> None:
    """The process waits a second for its program to end, and ends with it later."""
    text = f"import marine_gen; marine_gen.load({{'greeting': {str(cache / 'greeting.wasm')!r}}})"
    (cache / "greeting.wasm").write_bytes(HELLO["greeting"])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}
    subprocess.run([sys.executable, "-c", text], env=environment, check=True, timeout=100)
    (mark,) = (cache / "first-loads").iterdir()
    completing_process(cache, subprocess.Popen([sys.executable, "-c", ""]))
    assert mark.exists()
    assert not cache_entries()


@pytest.mark.slow
def test_the_process_ends_with_its_program(cache: Path, started: object) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    many = tuple(function(f"f{n}", Prim.STRING) for n in range(200))
    with marine_gen.load({"m": echo_module(Description((), many), Memory())}):
        pass
    (mark,) = (cache / "first-loads").iterdir()
    mark.write_bytes(mark.read_bytes().replace(f'"{os.getpid()}"'.encode(), f'"{owner.pid}"'.encode(), 1))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}
    command = [sys.executable, "-m", "marine_gen.artifact.completing", str(cache), str(owner.pid)]
    with subprocess.Popen(command, env=environment) as process:
        until(lambda: list(cache.glob(".*-optimised-*")))
        owner.kill()
        owner.wait()
        assert process.wait(100) == 0
    assert not list(cache.glob(".*-optimised-*"))
    assert mark.exists() != bool(cache_entries())


def test_a_program_leaves_few_marks(
    cache: Path, started: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "_MOST", 1)
    for kinds in (HELLO, CHAIN):
        with marine_gen.load(kinds):
            pass
    assert len(list((cache / "first-loads").iterdir())) == 1
    assert len(started) == 1


def completing_process(cache: Path, owner: subprocess.Popen[bytes]) -> None:
    owner.wait()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}
    command = [sys.executable, "-m", "marine_gen.artifact.completing", str(cache), str(owner.pid)]
    subprocess.run(command, env=environment, check=True, timeout=100)


def test_marks_that_are_damaged(cache: Path, started: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with marine_gen.load(HELLO):
        pass
    (mark,) = (cache / "first-loads").iterdir()
    head = mark.read_bytes().partition(b"\n")[0]
    monkeypatch.setattr(completing, "live_with", lambda *_: None)
    for content in (head + b"\nwrong", head.replace(b'"flavour"', b'"other"') + b"\n"):
        mark.write_bytes(content)
        completing.main([str(cache), str(os.getpid())])
        assert not mark.exists()
        assert not cache_entries()


def test_processes_do_nothing_twice(cache: Path, started: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with marine_gen.load(HELLO):
        pass
    (mark,) = (cache / "first-loads").iterdir()
    monkeypatch.setattr(completing, "live_with", lambda *_: None)
    with mark.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as another one does while it works
        completing.main([str(cache), str(os.getpid())])
        assert not cache_entries()
    left = cache / f".{mark.name}-optimised-left"
    left.mkdir()
    completing.main([str(cache), str(os.getpid())])
    assert [entry.name for entry in cache_entries()] == [mark.name]
    assert not left.exists()
    assert not mark.exists()


def test_a_deleted_working_directory(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process searches nothing that PYTHONPATH has relative to it."""
    commands: list[Any] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: commands.append(options["env"]["PYTHONPATH"]))
    monkeypatch.setattr(tiers, "_waiting", {})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["relative", str(ROOT / "absolute")]))
    gone = cache.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with marine_gen.load(HELLO) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    (searched,) = commands
    assert searched.split(os.pathsep)[-1] == str(ROOT / "absolute")
    assert "relative" not in searched


def test_loads_that_start_nothing(
    cache: Path,
    started: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    generated: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with marine_gen.load(HELLO, cache=False) as service:
        assert not generated
        assert service.modules.greeting.greeting("x") == "Hi, x"
    python = PythonModule("p", {"f": answer})
    with marine_gen.load(HELLO, python_modules=[python]) as service:
        assert service.call("p", "f") == "text"
    monkeypatch.setenv(VARIABLE, "0")
    with marine_gen.load(HELLO):
        assert len(cache_entries()) == 1
    monkeypatch.setenv(VARIABLE, "1")
    with complete_builds(), marine_gen.load(CHAIN):
        assert len(cache_entries()) == 2
    monkeypatch.setenv("MARINE_GEN_CACHE", "/dev/null/cache")
    with marine_gen.load(HELLO):
        assert "can't be used" in caplog.text
    assert not started


def answer() -> str:
    return "text"


def test_look_ups_that_wait(cache: Path, started: object) -> None:
    """On another thread, in a call and after the end nothing is generated; the call says why it can't begin."""
    found: list[Any] = []

    def attempt(act: Callable[[], Any]) -> None:
        try:
            found.append(act())
        except StateError as error:
            found.append(str(error))

    with marine_gen.load(FUNCTIONS) as service:
        thread = threading.Thread(target=lambda: attempt(lambda: service.modules.m.f1("x")))
        thread.start()
        thread.join()
        thread = threading.Thread(target=lambda: found.append(service.modules.m["f2"]))
        thread.start()
        thread.join()
        assert "belongs to the thread that loaded it" in found[0]
        assert found[1]("x") == "x", "the owner may call what another thread has looked up"
        assert found[1].__name__ == "f2"
        assert service.modules.m.f1("x") == "x"
    attempt(lambda: service.modules.m.f5("x"))
    attempt(lambda: service.call("m", "f6", ["x"]))
    attempt(lambda: service.call_json("m", "f7", '["x"]'))
    assert len(found) == 5
    assert all("is closed" in text for text in found[2:])


def test_first_calls_of_many_threads(cache: Path, started: object) -> None:
    """Services of one kind share what is generated, each on its own thread."""
    results: list[str] = []
    keep = marine_gen.load(FUNCTIONS)

    def run() -> None:
        with marine_gen.load(FUNCTIONS) as service:
            results.extend(service.call("m", f"f{n}", [str(n)]) for n in range(MANY))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keep.close()
    assert results.count("7") == 4
    assert len(results) == 4 * MANY


@pytest.fixture
def either(cache: Path, started: object) -> Callable[..., list[Service]]:
    """A service loaded twice: for the first time, and out of a complete build."""

    def load(modules: dict[str, bytes], **options: Any) -> list[Service]:
        first = marine_gen.load(modules, **options)
        assert not cache_entries()
        with complete_builds():
            second = marine_gen.load(modules, **options)
        assert cache_entries()
        return [first, second]

    return load


def test_fuel_is_the_same(either: Callable[..., list[Service]]) -> None:
    used = []
    for service in either(CHAIN, fuel=10**9):
        with service:
            for _ in range(2):
                assert service.modules.bench_pure.plain(3, "x")
                used.append(service.statistics().fuel_used)
    first, second = used[1] - used[0], used[3] - used[2]  # type: ignore[operator]
    assert first == second > 0


def test_recorded_calls_are_the_same(either: Callable[..., list[Service]]) -> None:
    tracer = Tracer()
    events = []
    for service in either(CHAIN, trace=tracer):
        with service:
            tracer.start()
            service.modules.bench_pure.plain(3, "x")
            found = tracer.stop()["traceEvents"]
        events.append([(item["name"], item.get("cat"), item.get("args")) for item in found if item["ph"] == "X"])
    assert events[0] == events[1] != []


def test_record_classes_are_one_set(either: Callable[..., list[Service]]) -> None:
    point = RecordDeclaration("Point", (Member("x", Prim.S32), Member("name", Prim.STRING)))
    functions = function("point", Named("Point")), function("points", Vector(Named("Point")))
    results = []
    for service in either({"m": echo_module(Description((point,), functions), Memory())}):
        with service:
            cls = service.modules.m.records["Point"]
            made = cls(1, "a")
            assert type(service.modules.m.point(made)) is cls
            assert service.modules.m.points([made, (1, "a")]) == [made, made]
            results.append(repr(service.modules.m.point(made)))
    assert results == ["Point(x=1, name='a')"] * 2


def test_tracebacks_show_the_generated_lines(either: Callable[..., list[Service]]) -> None:
    texts = []
    for service in either(HELLO):
        with service:
            with pytest.raises(ArgumentError) as caught:
                service.modules.greeting.greeting(1)
            texts.append([line.line for line in traceback.extract_tb(caught.tb)][1:])
    assert texts[0] == texts[1] != []

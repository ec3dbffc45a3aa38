"""Baseline code of a first load, and the process that replaces it in the cache."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact import cache_entries, tiers
from marine_gen.artifact.cache import Flavour
from marine_gen.artifact.key import build_key
from marine_gen.artifact.target import Source, with_python
from marine_gen.artifact.tiers import VARIABLE, optimised, worthwhile
from marine_runtime import PythonModule, Service
from marine_runtime.wasm import baseline_problem, open_runtime
from tests.support.engines import assemble, guests
from tests.support.paths import ROOT
from tests.support.pools import until

HELLO = guests("greeting")
Started = list[tuple[Path, Path]]

pytestmark = pytest.mark.skipif(baseline_problem() is not None, reason=str(baseline_problem()))


@pytest.fixture
def cache(cache_of_first_loads: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for services all of which are large; no process is started."""
    monkeypatch.setattr(tiers, "LARGE", 0)
    return cache_of_first_loads


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes that would have been started."""
    found: Started = []
    monkeypatch.setattr(tiers, "_start", lambda *_: None)  # of services that are not large
    monkeypatch.setattr(tiers, "start_optimising", lambda first, place, _: found.append((first, place)))
    return found


def baseline() -> bool:
    """True if a load runs code of the baseline compiler."""
    with marine_gen.load(HELLO) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
        return runs_baseline(service)


def runs_baseline(service: Service) -> bool:
    return service._store._engine is open_runtime(baseline=True)._engine


def optimise(first: Path, place: Path, parent: int) -> None:
    """Do what `start_optimising` starts, and wait for its end."""
    command = [sys.executable, "-m", "marine_gen.artifact.optimise", str(first), str(place)]
    subprocess.run(
        [*command, json.dumps(asdict(Flavour("fused"))), str(parent)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        check=True,
        timeout=200,
    )


def children() -> set[str]:
    """The processes that are children of this one."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split())


def test_a_first_load_is_replaced_by_another_process(cache: Path) -> None:
    before = children()
    assert baseline()
    (first,) = cache_entries()
    until(lambda: len(cache_entries()) == 2)
    assert not baseline()
    until(lambda: not list(cache.glob(".*-optimised-*")))
    assert first in cache_entries()  # somebody may run it
    assert children() <= before, "a program that waits for its children meets no other"


def test_a_cache_whose_place_is_relative(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has another working directory."""
    monkeypatch.chdir(cache.parent)
    monkeypatch.setenv("MARINE_GEN_CACHE", cache.name)
    with marine_gen.load(HELLO):
        until(lambda: len(cache_entries()) == 2)
    assert not baseline()


def test_baseline_code_is_kept_until_then(cache: Path, started: Started) -> None:
    assert baseline()
    assert baseline()
    (first,) = cache_entries()
    assert started == 2 * [(first, cache / build_key(Source("greeting", HELLO), "fused", complete=False))]


@pytest.mark.slow
def test_the_process_ends_with_its_program_and_does_nothing_twice(cache: Path, started: Started) -> None:
    assert baseline()
    ((first, place),) = started
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    optimise(first, place, ended.pid)
    assert cache_entries() == [first]
    lock = os.open(first, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # as another one does while it works
    optimise(first, place, os.getpid())
    assert cache_entries() == [first]
    os.close(lock)
    left = cache / f".{place.name}-optimised-left"
    left.mkdir()
    optimise(first, place, os.getpid())
    assert set(cache_entries()) == {first, place}
    assert not left.exists()
    assert not baseline()


def test_the_setting(cache: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert not baseline()
    monkeypatch.delenv(VARIABLE)
    with optimised():
        assert not worthwhile(Source("greeting", HELLO), metered=False)
    assert worthwhile(Source("greeting", HELLO), metered=False)
    assert not started


def answer() -> str:
    return "text"


def test_services_that_have_optimised_code_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    large = Source("large", {"m": bytes(tiers.LARGE)})
    python = with_python(large, [PythonModule("p", {"f": answer})], ())
    assert worthwhile(large, metered=False)
    assert not worthwhile(large, metered=True)
    assert not worthwhile(Source("small", {"m": bytes(tiers.LARGE - 1)}), metered=False)
    assert not worthwhile(python, metered=False)
    for name, value in (("executable", "/usr/bin/uwsgi"), ("executable", ""), ("frozen", True)):
        with monkeypatch.context() as patch:
            patch.setattr(sys, name, value, raising=False)
            assert not worthwhile(large, metered=False)


def test_what_the_baseline_compiler_does_not_take(cache: Path, started: Started) -> None:
    text = """(@interface it_version "0.20.0")
(@interface type (func (param $n: i32) (result i32)))
(@interface type (func (param $n: u32) (result u32)))
(@interface export "f" (func 0))
(@interface func (type 1) arg.get 0 i32.from_u32 call-core 0 u32.from_i32)
(@interface implement (func 0) (func 1))"""
    wat = """(module (memory (export "memory") 1) (func $g (param i32) (result i32) (local.get 0))
  (func (export "f") (param i32) (result i32) (return_call $g (local.get 0))))"""
    with marine_gen.load({"m": assemble(wat, text)}) as service:
        assert not runs_baseline(service)
        assert service.modules.m.f(7) == 7
    assert not started
    assert len(cache_entries()) == 1


def test_services_of_several_modules(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The glue between modules has tail calls, so such a service generates its functions when they are called."""
    monkeypatch.setattr(tiers, "_start", lambda *_: None)
    with marine_gen.load(guests("bench_effector", "bench_pure")) as service:
        assert not runs_baseline(service)
        assert service.modules.bench_pure.plain(3, "x")
    assert not cache_entries()


def test_fuel_is_metered_by_optimised_code(cache: Path, started: Started) -> None:
    with marine_gen.load(HELLO, fuel=10_000_000) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
        assert not runs_baseline(service)
    assert not started

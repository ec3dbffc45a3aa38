"""Forks and interruptions while another thread makes what services of a kind share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen.artifact import on_demand, tiers
from marine_gen.generate import Description
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, function
from tests.support.paths import ROOT

PROGRAM = """
import os, signal, threading
import marine_gen
from marine_gen.artifact import on_demand
from marine_runtime.adapters import loader
from tests.support.engines import guests

HELLO = guests("greeting")
begun, forked = threading.Event(), threading.Event()

def waiting(real):
    def run(*arguments):
        if threading.current_thread() is thread:
            begun.set()
            assert forked.wait(90)
        return real(*arguments)
    return run

def call(name):
    with marine_gen.load(HELLO) as service:
        print(service.call("greeting", "greeting", [name])[4:], flush=True)

HELD = waiting(REAL)
thread = threading.Thread(target=call, args=("other",))
service = marine_gen.load(HELLO)
thread.start()
assert begun.wait(90)
child = os.fork()
if not child:
    signal.alarm(50)  # a child that hangs is found
    print(service.call("greeting", "greeting", ["child"])[4:], flush=True)
    call("own")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
forked.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    ("held", "real"), [("on_demand._Parts._generated", "on_demand._Parts._generated"), ("loader.exec", "exec")]
)
def test_what_another_thread_was_making(cache_of_first_loads: Path, held: str, real: str) -> None:
    """The forked process has neither that thread nor its lock."""
    program = PROGRAM.replace("HELD", held).replace("REAL", real)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]  # 3.12 warns of forks with threads
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["child", "own", "other"]


def test_what_is_generated_meanwhile_has_sites_of_its_own(
    cache_of_first_loads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the handler of a signal, or by a thread that goes on when the wait for it was interrupted."""
    made: list[range] = []
    real, real_fusion = on_demand._Parts.fused, on_demand.fusion_of_part

    def fused(*given: Any) -> Any:
        found = real(*given)
        made.append(range(found.first_site, found.first_site + len(found.output.code.sites)))
        return found

    def fusion(*given: Any) -> Any:
        monkeypatch.setattr(on_demand, "fusion_of_part", real_fusion)
        assert other.call("m", "f1", ["y"]) == "y"
        return real_fusion(*given)

    module = {"m": echo_module(Description((), (function("f0", Prim.STRING), function("f1", Prim.STRING))), Memory())}
    monkeypatch.setattr(tiers, "_start", lambda *_: None)
    monkeypatch.setattr(on_demand._Parts, "fused", fused)
    with marine_gen.load(module) as service, marine_gen.load(module) as other:
        monkeypatch.setattr(on_demand, "fusion_of_part", fusion)
        assert service.call("m", "f0", ["x"]) == "x"
    first, second = made
    assert first
    assert second
    assert not set(first) & set(second)


def test_sites_that_an_interrupted_thread_has_taken_are_left_out(
    cache_of_first_loads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler of a signal may raise between the two steps of taking them; nobody waits for the second one."""
    found: list[int] = []
    real = on_demand._Parts.fused

    def fused(parts: Any, *given: Any) -> Any:
        parts._starts.setdefault(0, (object(), 7))
        made = real(parts, *given)
        found.append(made.first_site)
        return made

    module = {"m": echo_module(Description((), (function("f0", Prim.STRING),)), Memory())}
    monkeypatch.setattr(tiers, "_start", lambda *_: None)
    monkeypatch.setattr(on_demand._Parts, "fused", fused)
    with marine_gen.load(module) as service:
        assert service.call("m", "f0", ["x"]) == "x"
    assert found == [7]

"""Calls through Python inside each other without end: an error, wherever the caller stands, and never a crash."""

from __future__ import annotations

import subprocess
import sys
from typing import NoReturn

import pytest

from marine_runtime import CallError, TrapError
from marine_runtime.calls import recursion as nesting
from marine_runtime.calls.recursion import RecursionLimit
from marine_runtime.calls.trampoline import Trampoline
from tests.support.engines import CONFIGURATIONS, OFTEN, Configuration
from tests.support.paths import ROOT
from tests.support.samples import sampled

PROGRAM = """
import sys
from marine_runtime.errors import TrapError
from tests.security.cases import family, modules
from tests.security.liar import host_functions
from tests.support.engines import load

engine, call_layer = sys.argv[1:]
service = load(modules("liar"), engine, call_layer, host_functions(lambda: 0))
calls = [call for case in family(full=False) if " descend, direct" in case.name for call in case.calls]
ended = set()


def at(depth, module, function, args):
    if depth:
        at(depth - 1, module, function, args)
        return
    try:
        service.call(module, function, args)
    except (TrapError, RecursionError) as error:
        ended.add(type(error).__name__)


for depth in range(0, 900, 30):
    for call in calls:
        at(depth, *call)
print(service.call("neighbour", "intact", []), *sorted(ended))
"""


def refused() -> NoReturn:
    raise CallError("not today")


def test_only_calls_inside_each_other_count() -> None:
    """Those that are over do not, whatever they ended with."""
    calls = RecursionLimit()
    inner = Trampoline(lambda: calls.depth, calls).call
    outer = Trampoline(lambda: (calls.depth, inner(), inner(), calls.depth), calls).call
    failing = Trampoline(refused, calls).call
    for _ in range(3):
        assert outer() == (1, 2, 2, 1)
        with pytest.raises(CallError, match="not today"):
            failing()
        assert calls.depth == 0


def test_a_call_that_finds_no_room_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = RecursionLimit()
    inside = [calls.begin() for _ in range(calls.checked - 1)]
    monkeypatch.setattr(nesting, "_descend", lambda levels: False)
    for _ in range(3):
        with pytest.raises(TrapError, match=r"^wasm trap: call stack exhausted$"):
            calls.begin()
        assert calls.depth == len(inside)


@pytest.mark.parametrize("configuration", sampled(CONFIGURATIONS, OFTEN[1:2].__contains__), ids=str)
def test_a_guest_that_calls_itself_through_python(configuration: Configuration) -> None:
    """From many depths, as what crashes is Python's limit being met at one certain place."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, configuration.engine, configuration.call_layer],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in ("1 TrapError\n", "1 RecursionError TrapError\n")

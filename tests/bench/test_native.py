"""The peer for native Marine against a process that speaks its protocol; no Rust is needed."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bench.cases.calls import greeting
from tests.bench.model import Case
from tests.bench.peers.base import NotMeasuredError
from tests.bench.peers.native_marine import TAKEN, NativeMarine, NativeProcess

FAKE = """#!{python}
import json, sys
slots = set()
print(json.dumps({{"ok": True, "runtime": "fake 1.0"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    operation, slot = request["op"], request.get("slot", "")
    if operation == "load":
        slots.add(slot)
        answer = {{"ok": True, "ns": 7.0}}
    elif operation == "rss":
        answer = {{"ok": True, "rss": 4096 * (1 + len(slots))}}
    elif slot not in slots:
        answer = {{"ok": False, "error": "nothing is loaded\\nmore"}}
    elif operation == "call":
        answer = {{"ok": True, "result": "Hi, " + request["args"][0]}}
    elif operation == "time":
        answer = {{"ok": True, "ns": 5.0 * request["calls"]}}
    elif operation == "drop":
        slots.remove(slot)
        answer = {{"ok": True}}
    else:
        raise SystemExit(3)
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A program in the place of native Marine."""
    path = tmp_path / "native-marine"
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(0o755)
    return path


def test_calls_and_loads_are_timed_in_the_process(binary: Path) -> None:
    with NativeProcess(binary=binary) as process, ExitStack() as stack:
        peer = NativeMarine(process)
        assert "fake 1.0" in peer.about
        made = peer.prepare(Case("greeting", "group", "title", "call", greeting()), stack)
        assert (made.result, made.watch(3)) == ("Hi, John", 15)
        assert peer.prepare(Case("cold", "group", "title", "cold load", greeting()), stack).watch(2) == 14
        with pytest.raises(NotMeasuredError, match="has nothing like this"):
            peer.prepare(Case("batch", "group", "title", "batch", greeting()), stack)


def test_samples_of_processes_start_one_each(binary: Path) -> None:
    with ExitStack() as stack:
        with NativeProcess(binary=binary) as process:
            peer = NativeMarine(process, binary=binary)
        found = {}
        for kind in TAKEN:
            made = peer.prepare(Case(kind, "group", "title", kind, greeting()), stack)
            assert made.result == "Hi, John"
            found[kind] = made.watch(2)
    assert (found["first call"], found["resident"], found["memory"]) == (2 * (7 + 5), 2 * 8192, 2 * 4096)
    assert found["process"] > 1000


def test_what_goes_wrong_in_the_process_is_a_reason(binary: Path) -> None:
    with NativeProcess(binary=binary) as process:
        with pytest.raises(NotMeasuredError, match=r"^native Marine: nothing is loaded$"):
            process.must("call", slot="none")
        process.must("load", slot="a")
        with pytest.raises(NotMeasuredError, match="ended with code 3"):
            process.ask("odd", slot="a")


def test_what_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match="`make bench-native` builds it"):
        NativeProcess(binary=tmp_path / "nothing")

"""Figures about a service, and their text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from marine_runtime import Service, ServiceConfig, StateError, Statistics, TrapError
from marine_runtime.calls.statistics import FunctionStatistics, human_size
from tests.support.greedy import PAGE, greedy

Serve = Callable[..., Service]


def test_memory_and_rejects(serve: Serve) -> None:
    service = serve({"b": greedy(pages=17), "a": greedy()}, config=ServiceConfig(total_memory_limit=20 * PAGE))
    service.modules.a.grow(5)
    assert str(service.statistics()) == "b - 1.1 MB\na - 65.5 KB\nAllocation rejects - 1\n"
    assert service.statistics().functions == {}
    service.close()
    with pytest.raises(StateError):
        service.statistics()


def test_calls_and_time(serve: Serve) -> None:
    service = serve({"m": greedy()}, collect_statistics=True)
    service.modules.m.plain("x")
    service.call("m", "plain", ["x"])
    service.call("m", "plain", ["x"], timeout=10)
    service.call_json("m", "plain", '["x"]')
    service.call_batch("m", "plain", [["x"]] * 3)
    with pytest.raises(TrapError):
        service.call("m", "recurse")
    found = service.statistics().functions
    assert {key: (item.calls, item.failures) for key, item in found.items()} == {
        ("m", "plain"): (7, 0),
        ("m", "recurse"): (1, 1),
    }
    assert all(item.seconds > 0 for item in found.values())
    assert "m.plain - 7 calls, 0 failed, " in str(service.statistics())


def test_what_is_not_known_is_said() -> None:
    found = Statistics({"m": 65536}, None, None, None)
    assert str(found) == "m - 65.5 KB\nAllocation rejects - value is not recorded by current wasm backend\n"


def test_names_do_not_break_lines() -> None:
    counted = {("a\nb", "f\x1b[2J"): FunctionStatistics(1, 0, 0.5)}
    lines = str(Statistics({"a\nb": 0}, 0, 0, None, counted)).splitlines()
    assert lines == [r"a\nb - 0 B", "Allocation rejects - 0", r"a\nb.f\x1b[2J - 1 call, 0 failed, 0.500000 s"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1_048_575, "1048.6 KB"),
        (1_048_577, "1.0 MB"),
        (1_114_112, "1.1 MB"),
        (4 << 30, "4.3 GB"),
    ],
)
def test_sizes_are_written_with_a_unit(size: int, text: str) -> None:
    assert human_size(size) == text

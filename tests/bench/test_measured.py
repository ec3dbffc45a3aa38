"""Pages show the figures that are written down, and benchmarks write down what they measured, and how."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import measured


@pytest.mark.parametrize("name", measured.PAGES)
def test_pages_show_what_is_written_down(name: str) -> None:
    path, text = measured.page(name)
    assert path.read_text("utf-8") == text, "run `make docs`"


def test_figures_are_kept_with_their_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(sys, "argv", ["pools.py", "--rounds", "3", "--keep"])
    assert "`make ray-bench ARGS=--keep`" in measured.table("cluster")
    rates = {"one service": 10_000, "2 threads, map": 15_500}
    measured.keep("pools", {"100 µs": rates})
    measured.keep(
        "serve", {"inline, 1 worker": {"bar": 0.7, "ratio": 0.5, "microseconds": {"starlette": 1, "marine": 2}}}
    )
    measured.keep("many", {"10000": {"load": 1.034, "resident": 56.4, "mappings": 4.004}})
    ways = (
        "10 µs, submit",
        "10 µs, map",
        "100 µs, submit",
        "100 µs, map",
        "two nodes",
        "start, time",
        "start, processor",
    )
    cluster: dict[str, dict[str, float]] = {name: {"ratio": 7.25, "bar": 5.0} for name in ways}
    measured.keep("cluster", cluster | {"memory": {"worker": 57, "empty actor": 46}})
    kept = measured.read()
    assert set(kept) == {"cluster", "many", "pools", "serve"}
    assert kept["pools"]["figures"] == {"100 µs": rates}
    assert kept["pools"]["command"].startswith("python -m ")
    assert kept["pools"]["command"].endswith(" --rounds 3")
    assert "| 2 threads, map | 15,500 | 1.55 × |\n" in measured.table("pools")
    assert "beside an empty actor: at most | 5 × | 7.25 × |\n" in measured.table("cluster")
    assert "| 57 and 46 MiB |\n" in measured.table("cluster")
    assert "inline, beside an `async def` endpoint, 1 worker | 0.7 × | 0.50 × | 0.50 × |\n" in measured.table("serve")
    assert "| 10,000 | 1.03 × | 56 KiB | 4.00 |\n" in measured.table("many")

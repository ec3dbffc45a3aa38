"""Figures of pages that have a benchmark of their own: kept in `docs/measured.json`, put between markers of the pages.

    python -m tests.bench.measured

The benchmarks of servers, pools, clusters and many services write them with `--keep`; `make docs` puts them into the
pages, and a test compares both. The figures of docs/benchmarks.json are those of `make bench`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marine_gen.bench.machine import describe_machine
from tests.support.paths import ROOT

FILE = ROOT / "docs" / "measured.json"
BEGIN, END = "<!-- measured: {} -->\n", "<!-- end of measured -->\n"

Figures = Mapping[str, Any]
"""The figures of a benchmark, by what was measured."""


def keep(name: str, figures: Figures) -> None:
    """Write the figures of one benchmark down, with the command of this process, its date and machine."""
    everything = read()
    module = getattr(sys.modules["__main__"].__spec__, "name", name)
    command = " ".join(["python", "-m", str(module).removesuffix(".__main__"), *sys.argv[1:]])
    everything[name] = {
        "command": command.replace(" --keep", ""),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": str(describe_machine()),
        "figures": figures,
    }
    FILE.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read() -> dict[str, Any]:
    """Everything that is written down."""
    return dict(json.loads(FILE.read_text("utf-8"))) if FILE.exists() else {}


def _serve(figures: Figures) -> Iterator[str]:
    yield "| | bar | requests per second | processor time, the other way round |\n| --- | ---: | ---: | ---: |\n"
    beside = {
        "threads": "short string, thread, beside a `def` endpoint",
        "inline": "short string, inline, beside an `async def` endpoint",
        "1 MiB": "1 MiB of bytes there and back, beside an endpoint that returns its body",
    }
    rates = {name: item for name, item in figures.items() if "ratio" in item}
    for name, item in sorted(rates.items(), key=lambda pair: pair[1]["ratio"] / pair[1]["bar"]):
        kind, _, workers = name.partition(", ")
        spent = item["microseconds"]["starlette"] / item["microseconds"]["marine"]
        yield f"| {beside[kind]}, {workers} | {item['bar']} × | {item['ratio']:.2f} × | {spent:.2f} × |\n"
    for name, item in figures.items():
        if "added_ms" in item:
            yield f"| added {name}, at the median | {item['bar']} ms | {item['added_ms']:.2f} ms | |\n"


def _pools(figures: Figures) -> Iterator[str]:
    lengths = list(figures)
    heads = "".join(f" {length} a call | |" for length in lengths)
    yield f"| calls per second |{heads}\n| --- |{' ---: | ---: |' * len(lengths)}\n"
    for way in figures[lengths[0]]:
        cells = ""
        for length in lengths:
            rates = figures[length]
            cells += f" {rates[way]:,.0f} | {rates[way] / rates['one service']:.2f} × |"
        yield f"| {way} |{cells}\n"


def _many(figures: Figures) -> Iterator[str]:
    yield "| living services | load, call, close: processor time | resident memory of each | mappings of each |\n"
    yield "| ---: | ---: | ---: | ---: |\n"
    for count, item in figures.items():
        yield (f"| {int(count):,} | {item['load']:.2f} × | {item['resident']:.0f} KiB | {item['mappings']:.2f} |\n")


def _cluster(figures: Figures) -> Iterator[str]:
    words = {
        "10 µs, submit": "calls of 10 µs by `submit`, beside a call each to two actors that hold a service: at least",
        "10 µs, map": "the same by `map`: at least",
        "100 µs, submit": "calls of 100 µs by `submit`, where two busy cores are the limit: at least",
        "100 µs, map": "the same by `map`: at least",
        "two nodes": "calls that sleep 10 ms, four workers on two nodes beside two on one: at least",
        "start, time": "time to start a worker, beside an empty actor: at most",
        "start, processor": "processor time of the same, of the actor and the caller together: at most",
    }
    yield "| | bar | measured |\n| --- | ---: | ---: |\n"
    for name, what in words.items():
        yield f"| {what} | {figures[name]['bar']:g} × | {figures[name]['ratio']:.2f} × |\n"
    memory = figures["memory"]
    yield f"| memory of a worker (its proportional share), of an empty actor | | {memory['worker']} and "
    yield f"{memory['empty actor']} MiB |\n"


PAGES: dict[str, tuple[str, Callable[[Figures], Iterator[str]]]] = {
    "serve": ("serve.md", _serve),
    "pools": ("concurrency.md", _pools),
    "many": ("built-directories.md", _many),
    "cluster": ("cluster.md", _cluster),
}
"""The page of each benchmark, and the writer of its table."""


COMMANDS = {
    "serve": "python -m tests.serve.bench --keep",
    "pools": "python -m tests.bench.pools --keep",
    "cluster": "make ray-bench ARGS=--keep",
}
"""The command that writes the figures of each page."""


def table(name: str) -> str:
    """The table of one benchmark, and how it was measured; or the command that measures it."""
    kept = read().get(name)
    if kept is None:
        return f"Not measured on this version yet; `{COMMANDS[name]}` does.\n"
    rows = "".join(PAGES[name][1](kept["figures"]))
    return f"{rows}\n`{kept['command']}` on {kept['date']}: {kept['machine']}.\n"


def page(name: str) -> tuple[Path, str]:
    """The page of a benchmark, and its text with the figures that are written down."""
    path = ROOT / "docs" / PAGES[name][0]
    begin, text = BEGIN.format(name), path.read_text("utf-8")
    assert text.count(begin) == 1, path
    pattern = re.compile(f"({re.escape(begin)}).*?({re.escape(END)})", re.DOTALL)
    return path, pattern.sub(lambda found: f"{found[1]}{table(name)}{found[2]}", text)


if __name__ == "__main__":
    for name in PAGES:
        path, text = page(name)
        path.write_text(text, "utf-8")

"""The figures of the README: blocks between markers, made from a run. Nothing is measured or written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tests.bench.model import CaseResult, Run
from tests.bench.page import NONE, figure, run_warnings, times
from tests.bench.peers import BASELINE, OURS
from tests.bench.stats import ratio

COLUMNS = (OURS, "closures", BASELINE, "by hand", "marine-js", "Extism", "component")
ROWS = {
    "greeting": "short string from the host and back",
    "record": "record of 3 fields from the host and back",
    "bytes 65536": "64 KiB of bytes from the host and back",
    "crossing string 10": "short string from module to module and back",
    "crossing record": "record of 3 fields from module to module and back",
    "crossing bytes 65536": "64 KiB of bytes from module to module and back",
    "chain": "short string through three modules and back",
    "store GET": "key-value store, `GET`",
    "avm invoke": "AquaVM `invoke`",
    "first call three": "three modules: load what was built, call once",
}
"""Cases of the comparison, with their words there."""

ENGINE_WORDS = {
    "fused": "core Wasm, generated for each adapter; a call from Python enters Wasm once",
    "closures": "straight-line Python, generated for each adapter",
    "interpreter": "every adapter instruction, as in Marine's own runtime",
}
ENGINE_COLUMNS = {"greeting": "Python → module", "crossing string": "module → module"}
"""Cases of the table of engines, both with modules in C."""


def comparison(run: Run) -> str:
    """The time of our default engine, and how many times as long the others take."""
    lines = [
        f"|  | `{OURS}` |" + "".join(f" {name} |" for name in COLUMNS[1:]),
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for name, title in ROWS.items():
        case = run.case(name)
        base = case.of(OURS) if case else None
        cells = [figure(base.median, case.unit) if case and base else NONE]
        cells += [_ratio(case, peer, OURS) for peer in COLUMNS[1:]]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    versions = f"{run.machine['cpu']}, {run.machine['cores']} cores, {run.machine['python']}"
    lines += [
        "",
        f"Measured on {run.date} ({run.settings['mode']} run) on {versions}, wasmtime {run.machine['wasmtime']}.",
    ]
    for warning in run_warnings(run):
        lines += ["", f"**{warning}**"]
    return "\n".join(lines) + "\n"


def engines(run: Run) -> str:
    """What runs on each engine, and how many times as fast as the interpreter over the public API it is."""
    lines = [
        "| engine | what runs at call time | " + " | ".join(ENGINE_COLUMNS.values()) + " |",
        "| --- | --- |" + " ---: |" * len(ENGINE_COLUMNS),
    ]
    for name, words in ENGINE_WORDS.items():
        cells = [_ratio(run.case(case), BASELINE, name) for case in ENGINE_COLUMNS]
        lines.append(f"| `{name}`{' (default)' if name == OURS else ''} | {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _ratio(case: CaseResult | None, over: str, under: str) -> str:
    """The time of one peer by the time of another one."""
    if case is None:
        return NONE
    above, below = case.of(over), case.of(under)
    return times(ratio(above, below)) if above and below else NONE


BLOCKS: Mapping[str, Callable[[Run], str]] = {"comparison": comparison, "engines": engines}
"""What makes the text between the markers of a name."""


def readme_page(current: str, run: Run) -> str:
    """`current`, the text of the README, with its blocks made from the samples.

    Raises:
        ValueError: the markers of a block are not there once.
    """
    for name, make in BLOCKS.items():
        begin, end = f"<!-- {name}: made by tests/bench/report.py -->\n", f"<!-- end of {name} -->\n"
        parts = re.split(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", current, flags=re.DOTALL)
        if len(parts) != 2 or current.count(begin) != 1 or current.count(end) != 1:
            raise ValueError(f"the README has no place for the {name}, or more than one")
        current = f"\n{make(run)}\n".join(parts)
    return current

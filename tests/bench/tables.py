"""Tables of figures from a run: the comparison of the report, and that of the page about engines."""

from __future__ import annotations

from tests.bench.model import CaseResult, Run
from tests.bench.page import NONE, figure
from tests.bench.peers import BASELINE, OURS
from tests.bench.peers.native_marine import NATIVE
from tests.bench.plots import times
from tests.bench.stats import ratio

COLUMNS = (OURS, "closures", BASELINE, "by hand", NATIVE, "marine-js", "Extism", "component")
ROWS = {
    "greeting": "short string from the host and back",
    "record": "record of 3 fields from the host and back",
    "bytes 65536": "64 KiB of bytes from the host and back",
    "crossing string 10": "short string from module to module and back",
    "crossing record": "record of 3 fields from module to module and back",
    "crossing bytes 65536": "64 KiB of bytes from module to module and back",
    "chain": "short string through three modules and back",
    "store GET": "key-value store, `GET`",
    "json string 10": "short string as JSON text, there and back",
    "call parameters": "call parameters, handed on to the caller",
    "avm ast": "AquaVM `ast`",
    "avm invoke": "AquaVM `invoke`",
    "first call three": "three modules: load what was built, call once",
    "process three": "the same, from the start of a process to its end",
    "memory one": "memory of one more service",
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
    columns = [name for name in COLUMNS if name != NATIVE or any(case.of(NATIVE) for case in run.cases)]
    lines = [
        f"|  | `{OURS}` |" + "".join(f" {name} |" for name in columns[1:]),
        "| --- |" + " ---: |" * len(columns),
    ]
    for name, title in ROWS.items():
        case = run.case(name)
        if case is None:
            continue  # the run is older than the row
        base = case.of(OURS)
        cells = [figure(base.median, case.unit) if base else NONE]
        cells += [_ratio(case, peer, OURS) for peer in columns[1:]]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def engines(run: Run) -> str:
    """Each engine's cases, and how many times as fast as the interpreter over the public API they run."""
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


BEGIN, END = "<!-- engines: made by tests/bench/report.py -->\n", "<!-- end of engines -->\n"


def engines_page(current: str, run: Run) -> str:
    """`current`, the text of the page about engines, with its table made from a run.

    Raises:
        ValueError: the markers of the table are not there once.
    """
    if current.count(BEGIN) != 1 or current.count(END) != 1 or current.index(END) < current.index(BEGIN):
        raise ValueError("docs/engines.md has no place for the table of engines, or more than one")
    before, _, rest = current.partition(BEGIN)
    return f"{before}{BEGIN}\n{engines(run)}\n{END}{rest.partition(END)[2]}"

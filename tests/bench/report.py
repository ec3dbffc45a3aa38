"""Writes the report of a run: a Markdown page, an HTML page that needs nothing else, and the table of the README.

    python -m tests.bench.report [FILE]

FILE is what `run` wrote, docs/benchmarks.json by default; the pages go beside it. The README changes only with
docs/benchmarks.json. Nothing is measured here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import jinja2

from tests.bench.model import Run, read_run
from tests.bench.page import NONE, figure, make_page, run_warnings, times
from tests.bench.peers import BASELINE, OURS

ROOT = Path(__file__).parents[2]
JSON = ROOT / "docs" / "benchmarks.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- comparison: made by tests/bench/report.py -->\n", "<!-- end of comparison -->\n"

COLUMNS = (OURS, "closures", BASELINE, "by hand", "marine-js", "Extism", "component")
ROWS = {
    "greeting": "short string from the host and back",
    "record": "record of 3 fields from the host and back",
    "bytes 65536": "64 KiB of bytes from the host and back",
    "crossing string 10": "short string from module to module and back",
    "crossing record": "record of 3 fields from module to module and back",
    "crossing bytes 65536": "64 KiB of bytes from module to module and back",
    "store GET": "key-value store, `GET`",
    "avm invoke": "AquaVM `invoke`",
    "first call three": "three modules: load what was built, call once",
}
"""Cases of the README's table, with their words there."""


def render(template: str, run: Run) -> str:
    """A page of a run; what is in the run is escaped in HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=lambda name: name is not None and (".html" in name or ".svg" in name),
    )
    # What Markdown sets as code is plain text elsewhere.
    environment.filters["plain"] = lambda text: text.replace("`", "")
    return environment.get_template(template).render(page=make_page(run))


def comparison(run: Run) -> str:
    """The README's table: the time of our default engine, and how many times as long the others take."""
    lines = [
        f"|  | `{OURS}` |" + "".join(f" {name} |" for name in COLUMNS[1:]),
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for name, title in ROWS.items():
        case = run.case(name)
        base = case.of(OURS) if case else None
        cells = [figure(base.median, case.unit) if case and base else NONE]
        for peer in COLUMNS[1:]:
            result = case.of(peer) if case else None
            cells.append(times(result.median / base.median) if base and result else NONE)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    versions = f"{run.machine['cpu']}, {run.machine['cores']} cores, {run.machine['python']}"
    lines += [
        "",
        f"Measured on {run.date} ({run.settings['mode']} run) on {versions}, wasmtime {run.machine['wasmtime']}.",
    ]
    for warning in run_warnings(run):
        lines += ["", f"**{warning}**"]
    return "\n".join(lines) + "\n"


def readme_page(current: str, run: Run) -> str:
    """`current`, the text of the README, with its comparison made anew.

    Raises:
        ValueError: the markers are not there.
    """
    before, begin, rest = current.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the README has no place for the comparison")
    return f"{before}{BEGIN}\n{comparison(run)}\n{END}{after}"


def write_report(source: Path) -> list[Path]:
    """Write the pages of a run.

    Raises:
        ValueError: the file is not a run, or the README has no place for the table.
    """
    run = read_run(source)
    written = {source.with_suffix(suffix): render(f"benchmarks{suffix}.j2", run) for suffix in (".md", ".html")}
    if source.resolve() == JSON:
        written[README] = readme_page(README.read_text(encoding="utf-8"), run)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description="Write the report of a run.")
    parser.add_argument("file", nargs="?", type=Path, default=JSON, help="what tests.bench.run wrote")
    given = parser.parse_args(arguments)
    try:
        for path in write_report(given.file):
            print(path)
    except (OSError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Writes the report of a run: pages and pictures in docs/, or a page with every figure beside the samples.

    python -m tests.bench.report [FILE]

FILE is what `run` wrote. With samples it gives docs/benchmarks.json, which is condensed, and an HTML page beside FILE;
without FILE the pages are made from docs/benchmarks.json. Nothing is measured here. A run without native Marine, which
takes cargo to build, keeps its figures of the run before, with their date.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from tests.bench.answers import answers
from tests.bench.model import Run, read_run
from tests.bench.page import make_page
from tests.bench.peers.native_marine import NATIVES
from tests.bench.plots import overview
from tests.bench.stats import condense, with_last
from tests.bench.tables import comparison, engines_page
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
JSON = DOCS / "benchmarks.json"
PLOTS = DOCS / "plots"


def render(template: str, run: Run) -> str:
    """A page of a run; what is in the run is escaped in HTML."""
    return _filled(template, page=make_page(run), comparison=comparison(run))


def pictures(run: Run) -> dict[str, str]:
    """The pictures of the report by file name."""
    drawn = {answer.file: _filled("versus.svg.j2", plot=answer.plot) for answer in answers(run)}
    return {"overview.svg": _filled("overview.svg.j2", charts=overview(run))} | drawn


def _filled(template: str, **content: Any) -> str:
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
    return environment.get_template(template).render(**content)


def documents(run: Run) -> dict[Path, str]:
    """The parts of a report that the documentation has besides figures."""
    engines = DOCS / "engines.md"
    return {
        JSON.with_suffix(".md"): render("benchmarks.md.j2", run),
        engines: engines_page(engines.read_text(encoding="utf-8"), run),
        **{PLOTS / name: text for name, text in pictures(run).items()},
    }


def write_report(source: Path, *, docs: bool) -> list[Path]:
    """Write a page of every figure beside the samples in `source`, and the documentation if wanted.

    Raises:
        ValueError: the file is not a run, or docs/engines.md has no place for its table.
    """
    run = read_run(source)
    written = {}
    if source.resolve() != JSON:
        written[source.with_suffix(".html")] = render("benchmarks.html.j2", run)
    if docs:
        run = condense(run)
        if JSON.exists():
            run = with_last(run, read_run(JSON), NATIVES)
        run.write_condensed(JSON)
        PLOTS.mkdir(exist_ok=True)
        written |= documents(read_run(JSON))
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description="Write the report of a run.")
    parser.add_argument("file", nargs="?", type=Path, default=JSON, help="what tests.bench.run wrote")
    given = parser.parse_args(arguments)
    try:
        for path in write_report(given.file, docs=True):
            print(path)
    except (OSError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

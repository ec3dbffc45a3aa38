"""Writes the report of a run: a Markdown page, an HTML page that needs nothing else, and the tables of the README.

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
from tests.bench.page import make_page
from tests.bench.readme import readme_page
from tests.support.paths import ROOT

JSON = ROOT / "docs" / "benchmarks.json"
README = ROOT / "README.md"


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


def write_report(source: Path) -> list[Path]:
    """Write the pages of a run.

    Raises:
        ValueError: the file is not a run, or the README has no place for a table.
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

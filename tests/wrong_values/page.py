"""Writes `docs/wrong-values.md` out of the golden files of the tests.

python -m tests.wrong_values.page
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "wrong-values.md"
FOLDER = GOLDEN / "wrong_values"

_HEAD = """\
# Results of wrong values

<!-- Made by tests/wrong_values/page.py from tests/golden/wrong_values; do not edit. -->

Every option of every command, every environment variable, every key of a configuration, every parameter of the Python
API, every command of the interactive loop and every header field of the server, with wrong values and their results.
Each row is a test. A row whose message is a *warning*, or that has none, shows a value that is accepted nevertheless.

The commands run in a folder with `greeting.wasm`, a configuration `service.toml` of it, `no-limit.toml`, which has no
memory limit, and misleading files: `text.txt`, `empty.wasm`, a directory `folder`.
"""

SECTIONS = (
    ("commands", "Commands", "option or argument", "command line"),
    ("environment", "Environment variables", "variable", "command line"),
    ("settings", "Configurations", "key", "written as"),
    ("python", "Python API", "parameter", "called as"),
    ("ray", "Pools on Ray", "parameter", "called as"),
    ("repl", "Interactive loop", "command", "line"),
    ("http", "Server", "part of a request", "request"),
    ("packages", "Build hook and typed packages", "setting", "written as"),
)
"""Golden file, heading, and the names of the first two columns."""

_MOST = 3
_WIDEST = 400


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for name, title, *columns in SECTIONS:
        path = FOLDER / f"{name}.golden"
        if path.exists():
            parts.append(f"## {title}\n\n{''.join(_table(load_cases(path), columns))}")
    return "\n".join(parts)


def _table(cases: Sequence[Case], columns: Sequence[str]) -> Iterator[str]:
    yield f"| {columns[0]} | wrong value | {columns[1]} | result |\n| --- | --- | --- | --- |\n"
    before = ""
    for case in sorted(cases, key=lambda case: case.title.partition(": ")[0]):
        parameter, _, wrong = case.title.partition(": ")
        shown = "" if parameter == before else _code(parameter)
        before = parameter
        yield f"| {shown} | {wrong} | {_code(case.input)} | {_outcome(case.expected)} |\n"


def _outcome(text: str) -> str:
    """The first lines of what came out; the exit code only where it tells something."""
    lines = text.split("\n")
    code = re.fullmatch(r"\[exit code (\d+)\]", lines[-1])
    if code is not None:
        lines = lines[:-1]
        ended = {"0": "runs", "1": "", "2": "wrong usage"}[code[1]]
    else:
        ended = ""
    shown = [line.rstrip() for line in lines if line.strip()]
    cut = [line if len(line) <= _WIDEST else f"{line[:_WIDEST]}…" for line in shown[:_MOST]]
    more = ["…"] if len(shown) > _MOST else []
    return "<br>".join([*([ended] if ended else []), *map(_code, cut), *more]) or "accepted"


def _code(text: str) -> str:
    """Text as code inside a cell of a table."""
    return (
        f"<code>{html.escape(text, quote=False).replace('|', '&#124;').replace(chr(10), '<br>')}</code>" if text else ""
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")

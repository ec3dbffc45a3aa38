"""The statements of the specification: sentences, list items, rows of tables and blocks, by page and section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

SPEC = ROOT / "docs" / "spec"
TABLE, BLOCK = "*table*", "*block*"
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
_FENCED = re.compile(r"^```\n.*?^```[^\n]*$", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"^(?:\* |\d+\. )", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z`\[*])")
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
_ROW = re.compile(r"^\|([^|]*)\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_REFERENCE = re.compile(r"^\[[^]]+\]\([^)]+\) (?:has|have|lists|says?)\b|\bis in \[[^]]+\]\([^)]+\)\.$")


def pages() -> list[Path]:
    """The pages that state something."""
    return sorted(page for page in SPEC.glob("*.md") if page.name != "README.md")


def sections(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Each section of a page with its statements."""
    _, *parts = _SECTION.split(page.read_text("utf-8"))
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        yield title, list(_statements(text))


def _statements(text: str) -> Iterator[str]:
    for paragraph in _FENCED.sub(BLOCK, text).strip().split("\n\n"):
        if paragraph.startswith("|"):
            rows = paragraph.splitlines()[2:]
            yield from (f"{TABLE} " + _LINK.sub(r"\1", row.strip("| ").replace(" | ", ": ")) for row in rows)
            continue
        for item in _ITEM.split(paragraph):
            for sentence in _SENTENCE.split(" ".join(item.split())):
                # A colon at the end introduces the next statements, and a reference states nothing itself.
                if sentence and not sentence.endswith(":") and not _REFERENCE.search(sentence):
                    yield _LINK.sub(r"\1", sentence)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the page that ties statements to tests: the section, the start of a statement, its tests."""

    section: str
    statement: str
    tests: str

    def is_about(self, statement: str) -> bool:
        """True if this is the row of a statement, or of the table that has it."""
        if self.statement in (TABLE, BLOCK):
            return statement.startswith(self.statement)
        text = statement.removeprefix(f"{TABLE} ")
        start = self.statement.removesuffix(" …")
        return text.startswith(start) if start != self.statement else text == start


def mapped(page: Path) -> list[Row]:
    """The rows of a page; the first one of a section names it, with a link."""
    found: list[Row] = []
    section = ""
    for cell, statement, tests in _ROW.findall((ROOT / "docs" / "conformance.md").read_text("utf-8")):
        if cell.strip():
            _, _, anchor = cell.rpartition("](spec/")
            name, _, anchor = anchor.removesuffix(") ").partition("#")
            section = anchor if name == page.name else ""
        if section:
            found.append(Row(section, statement, tests))
    return found

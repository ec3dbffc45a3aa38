"""Markdown pages as tests need them: fenced blocks with their lines, outputs that they show, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its first line, its language, its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str) -> Iterator[Block]:
    """The blocks of `page` in one language."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        if match[1] == language:
            yield Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as pages have it."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def output_pattern(shown: str) -> re.Pattern[str]:
    """The pattern of an output that a page shows: a line of `…` stands for any lines, `…` in a line for any text."""
    lines = ("(.*\n)*" if line == "…" else re.escape(line).replace("…", ".+") + "\n" for line in shown.splitlines())
    return re.compile("".join(lines))


def links(page: Path) -> Iterator[str]:
    """The targets of all links outside of fenced blocks."""
    yield from _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors of all headings, as a code host makes them."""
    titles = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

"""Checks that keep guests in their place, marked in the source, and the lines that each mark stands for.

A mark is a comment at the end of a line, or on the line above where that line is long:

    if size >= 2**32:  # check: codec block of 4 GiB
        raise TrapError("out of bounds")

    ;; check: fused overlong forms
    (if (i32.lt_u (local.get $byte) (i32.const 0xc2)) (then (return (i32.const 0))))

It stands for the statement or expression that the line begins: the line, those below it that are indented deeper, and
lines that close a bracket where it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

SOURCES = ("marine_gen", "runtime")
_SUFFIXES = (".py", ".j2", ".wat")
_MARK = re.compile(r"[ \t]*(?:#|;;) check: (?P<name>[^\n]+)$")
REST = "..."
"""As the last line of a replacement: what follows the marked line stays."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A marked check.

    Attributes:
        name: the words behind `check:`.
        file: below the root of the repository.
        mark: the index of the line with the mark.
        start: the index of the first line that it stands for.
        end: the index behind the last one.
    """

    name: str
    file: str
    mark: int
    start: int
    end: int


def sources(root: Path) -> list[Path]:
    """The files that may have marks."""
    return [path for name in SOURCES for path in sorted((root / name).rglob("*")) if path.suffix in _SUFFIXES]


def tags(root: Path = ROOT) -> Iterator[Tag]:
    """All marks, file by file."""
    for path in sources(root):
        yield from tags_of(path.read_text("utf-8"), path.relative_to(root).as_posix())


def tags_of(text: str, file: str) -> Iterator[Tag]:
    """The marks of one file."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if found := _MARK.search(line):
            start = number
            while not _without_mark(lines[start]).strip():  # on a line of its own
                start += 1
            yield Tag(found["name"], file, number, start, _end(lines, start))


def _without_mark(line: str) -> str:
    return _MARK.sub("", line)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(lines: list[str], start: int) -> int:
    """The index behind the last line of what line `start` begins."""
    depth = _indentation(lines[start])
    end = start + 1
    for number in range(start + 1, len(lines)):
        line = lines[number]
        closes = _indentation(line) == depth and line.lstrip()[:1] in tuple(")]}")
        if line.strip() and not closes and _indentation(line) <= depth:
            break
        if line.strip():
            end = number + 1
    return end


def text_of(text: str, tag: Tag) -> list[str]:
    """The lines that a mark stands for, without it and not indented."""
    lines = text.split("\n")[tag.start : tag.end]
    return [_without_mark(line)[_indentation(lines[0]) :] for line in lines]


def replaced(text: str, tag: Tag, new: str) -> str:
    """`text` with `new` in the place of what a mark stands for, as far indented as that was."""
    lines = text.split("\n")
    indentation = " " * _indentation(lines[tag.start])
    given, rest = new.split("\n") if new else [], []
    if given[-1:] == [REST]:
        given, rest = given[:-1], lines[tag.start + 1 : tag.end]
    made = [indentation + line if line else "" for line in given]
    return "\n".join([*lines[: tag.mark], *made, *rest, *lines[tag.end :]])

"""Golden files: input and expectation side by side, rewritten when MARINE_GEN_BLESS=1 is set.

A file is a flat list of cases. A case is a title line, the input, a separator line, and the expectation:

    ===== what this case shows
    the input
    -----
    what must come out

Neither part keeps the line break at its end. A new case needs a title and an input only; blessing fills in the rest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import TESTS

GOLDEN = TESTS / "golden"
BLESS = os.environ.get("MARINE_GEN_BLESS") == "1"

_TITLE = "===== "
_SEPARATOR = "-----"


@dataclass(frozen=True)
class Case:
    """One case of a golden file."""

    path: Path
    title: str
    input: str
    expected: str

    def __str__(self) -> str:
        return self.title

    def check(self, actual: str) -> None:
        """Compare `actual` with the expectation, or make it the expectation when blessing."""
        if not BLESS:
            assert actual == self.expected
            return
        assert not any(line.startswith(_TITLE) for line in actual.splitlines()), "the output looks like a title"
        blessed = Case(self.path, self.title, self.input, actual)
        cases = [blessed if case.title == self.title else case for case in load_cases(self.path)]
        self.path.write_text("\n".join(_render(case) for case in cases), encoding="utf-8", newline="\n")


def load_cases(path: Path) -> list[Case]:
    """The cases of one golden file; titles must be unique."""
    cases = []
    for block in ("\n" + path.read_bytes().decode()).split("\n" + _TITLE)[1:]:
        title, _, rest = block.partition("\n")
        # The first separator ends the input, which may stand at its very start when the input is empty.
        given, _, expected = ("\n" + rest).partition(f"\n{_SEPARATOR}\n")
        cases.append(Case(path, title, given.removeprefix("\n").rstrip("\n"), expected.rstrip("\n")))
    titles = [case.title for case in cases]
    assert len(titles) == len(set(titles)), f"{path}: two cases have one title"
    assert cases, f"{path}: no cases"
    return cases


def check_file(path: Path, actual: str) -> None:
    """Compare `actual` with a whole file, or write it there when blessing; line breaks and spaces all count."""
    if BLESS:
        path.write_bytes(actual.encode())
    assert path.read_bytes().decode() == actual


def _render(case: Case) -> str:
    return f"{_TITLE}{case.title}\n{case.input}\n{_SEPARATOR}\n{case.expected}\n"

"""Pages that tie statements to tests: every test that they name exists, and every row has one or a reason."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
DIFFERENCES = (ROOT / "docs" / "differences-from-marine.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" |") for line in re.findall(r"^\| .*\|$", PAGE, re.MULTILINE)]
NAME = re.compile(r"`([\w/]+\.py)::((?:Test\w+::)?test_\w+)`")


@cache
def named_in(file: str) -> frozenset[str]:
    """The tests of a file under `tests/`, as pytest names them."""
    found = set()
    for node in ast.parse((ROOT / "tests" / file).read_text("utf-8")).body:
        for item in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(item, ast.FunctionDef):
                found.add(f"{node.name}::{item.name}" if isinstance(node, ast.ClassDef) else item.name)
    return frozenset(found)


NAMED = {*NAME.findall(PAGE), *NAME.findall(DIFFERENCES)}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_tests_that_are_named_exist(file: str) -> None:
    assert {name for other, name in NAMED if other == file} <= named_in(file)


def test_every_difference_has_a_case() -> None:
    rows = [
        row for row in re.findall(r"^\| (.*) \|$", DIFFERENCES, re.MULTILINE) if not row.startswith(("Marine", "---"))
    ]
    assert len(rows) > 60
    assert [row for row in rows if not NAME.search(row)] == []


def test_every_row_has_a_test_or_a_reason() -> None:
    rows = [row for row in ROWS if row[0] not in ("row", "section", "---") and not row[0].startswith("---")]
    assert len(rows) > 100
    for row in rows:
        *what, tests = (cell.strip() for cell in (row if len(row) > 1 else (*row, "")))
        assert tests or "Not applicable: " in what[0], what
        assert NAME.sub("", tests).strip(", ") == "", f"{what}: not a list of tests: {tests}"

"""The contract with the host process: every rule of the page names tests, which exist."""

from __future__ import annotations

import re

from tests.docs.test_conformance import NAME, named_in
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
RULES = [row for row in ROWS if row[0] != "rule" and not row[0].startswith("---")]


def test_every_rule_names_tests() -> None:
    assert len(RULES) > 15
    for rule, tests in RULES:
        found = NAME.findall(tests)
        assert found, rule
        assert NAME.sub("", tests).strip(", ") == "", rule
        for file, name in found:
            assert name in named_in(file), f"{rule}: {file}::{name}"


def test_every_subject_has_rules() -> None:
    sections = dict(re.findall(r"^## (.+)\n\n(\| rule)?", PAGE, re.MULTILINE))
    assert sections == dict.fromkeys(
        (
            "Signals",
            "Threads",
            "Forks",
            "Greenlets",
            "Children and descriptors",
            "The end of the process",
            "Unusual programs",
            "Limits of the system",
        ),
        "| rule",
    ) | {"Frozen programs": ""}


def test_statements_are_rules() -> None:
    """Outside of tables is what no test can hold: the introduction, and how programs are frozen."""
    rules = PAGE[PAGE.index("\n## ") : PAGE.index("## Frozen programs")] + PAGE[PAGE.index("## Limits of the system") :]
    assert [line for line in rules.splitlines() if line and not line.startswith(("| ", "## "))] == []

"""The specification in the tree: what source, tests and pages cite of it is there, and each section has its tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.markdown import anchors, links
from tests.support.paths import ROOT

SPEC = ROOT / "docs" / "spec"
SOURCES = sorted(
    path
    for folder in ("marine_gen", "runtime", "grammar", "tests", "docs", "examples")
    for suffix in ("py", "lark", "j2", "wat", "md", "c", "h")
    for path in (ROOT / folder).rglob(f"*.{suffix}")
    if not {"node_modules", "__pycache__", ".cache"} & {*path.parts}
)
CITED = re.compile(r"(?<![\w/.])(docs/[\w/-]+\.md)(?:#([\w-]+))?")
NUMBERED = re.compile(r"§\s*\d|\bAppendix [A-Z]\b|\b(?:spec|marine-runtime|interface-types) \N{SECTION SIGN}")


def cited(text: str) -> list[tuple[str, str]]:
    """Pages that a text names from the root of the checkout, with an anchor or an empty one."""
    return [(page, anchor) for page, anchor in CITED.findall(text)]


def test_pages_that_are_cited_exist() -> None:
    known: dict[str, set[str]] = {}
    missing = []
    for source in SOURCES:
        for page, anchor in cited(source.read_text("utf-8", errors="replace")):
            if page not in known:
                known[page] = anchors(ROOT / page) if (ROOT / page).is_file() else set()
            if not (ROOT / page).is_file() or (anchor and anchor not in known[page]):
                missing.append(f"{source.relative_to(ROOT)}: {page}#{anchor}")
    assert len(known) > 10
    assert not missing


def test_nothing_cites_numbers_of_sections() -> None:
    """Numbered sections belong to documents that are not in the tree."""
    this = Path(__file__)
    found = [path for path in SOURCES if path != this and NUMBERED.search(path.read_text("utf-8", errors="replace"))]
    assert found == []


@pytest.mark.parametrize("page", sorted(SPEC.glob("*.md")), ids=lambda page: page.name)
def test_every_section_has_a_row_of_tests(page: Path) -> None:
    named = set(links(ROOT / "docs" / "conformance.md"))
    if page.name == "README.md":
        listed = {target for target in links(page) if "/" not in target}
        assert listed == {other.name for other in SPEC.glob("*.md")} - {page.name}
        return
    sections = re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE)
    wanted = {f"spec/{page.name}#{title.lower().replace(' ', '-')}" for title in sections}
    assert wanted
    assert wanted - named == set()

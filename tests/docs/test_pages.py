"""The pages hang together: links lead somewhere, every page can be reached, reference parts are up to date."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import marine_runtime.errors
from marine_gen.artifact import ENGINES
from marine_gen.cli.app import COMMANDS
from tests.support.golden import check_file
from tests.support.markdown import anchors, links
from tests.support.paths import ROOT
from tests.support.scripts import load_script

DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *(ROOT / name / "README.md" for name in ("grammar", "build")),
    *(ROOT / "examples" / name / "README.md" for name in ("cluster", "curl_service", "serve")),
    *sorted(DOCS.rglob("*.md")),
]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The script that writes the reference parts."""
    return load_script(DOCS / "reference.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in links(page):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}"


FOLDERS = ("marine_gen", "runtime", "tests", "docs", "examples", "grammar")
ELSEWHERE = {"tests/test_greeter.py", "docs/benchmarks.html"}
"""Paths that pages name and that are not in the tree: of a crate that is written, and of versions before."""


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_pages_name_are_in_the_tree(page):
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", page.read_text(encoding="utf-8"))
    placeholder = re.compile(r"NAME|LIST|_N\b")
    missing = {path for path in named if not placeholder.search(path) and not (ROOT / path).exists()}
    assert missing <= ELSEWHERE


def test_the_readme_fits_one_screen():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    assert "docs/call.svg" in links(ROOT / "README.md")


def test_index_lists_every_page():
    listed = {target for target in links(DOCS / "index.md") if not target.startswith("..")}
    assert listed == {path.name for path in DOCS.glob("*.md")} - {"index.md"} | {"spec/README.md"}


def test_instructions_page_is_what_the_table_gives(reference):
    check_file(DOCS / "instructions.md", reference.instructions_page())


def test_codes_on_the_errors_page_are_what_the_code_gives(reference):
    page = DOCS / "errors.md"
    check_file(page, reference.errors_page(page.read_text(encoding="utf-8")))


def test_counts_on_the_security_page_are_those_of_the_last_runs(reference):
    page = DOCS / "security.md"
    check_file(page, reference.security_page(page.read_text(encoding="utf-8")))
    made = reference.counts_table()
    assert "| checks removed |" in made
    assert "| hostile cases |" in made


def test_the_crossing_page_shows_what_the_compiler_makes(reference):
    page = DOCS / "crossing.md"
    text = page.read_text(encoding="utf-8")
    assert text.count("```text\n") == text.count("```wat\n") == 1
    check_file(page, reference.crossing_page(text))


def test_the_idl_page_has_the_rules_of_the_grammar(reference):
    page = DOCS / "idl.md"
    text = page.read_text(encoding="utf-8")
    assert text.count("```lark\n") == 1
    assert "\nheader: " in text
    assert "\n_type: " in text
    check_file(page, reference.idl_page(text))


def test_the_picture_of_the_curl_service_is_up_to_date(reference):
    check_file(DOCS / "graph.svg", reference.graph_picture())


@pytest.fixture(scope="module")
def layers() -> ModuleType:
    """The script that draws the layers."""
    return load_script(DOCS / "layers.py")


def test_the_tables_of_folders_are_complete(layers):
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    for package in layers.PACKAGES:
        _, _, rest = text.partition(f"### The {'compiler' if package.name == 'marine_gen' else 'runtime'}, ")
        rows = re.findall(r"^\| (`.*?`) \|", rest.partition("\n#")[0], re.MULTILINE)
        listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
        assert sorted(listed) == sorted(path.parent.name for path in package.glob("*/__init__.py"))


def test_the_glossary_is_short_and_sorted():
    _, _, rest = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("## Glossary\n")
    words = re.findall(r"^\| ([^|]+) \|", rest.partition("\n## ")[0], re.MULTILINE)[2:]
    assert len(words) <= 40
    assert words == sorted(words, key=str.lower)


def test_codes_table_has_every_code(reference):
    assert re.findall(r"\| (MG\d+) \|", reference.codes_table()) == [code.value for code in reference.codes.Code]


def test_errors_page_has_the_hierarchy_of_the_code():
    tree = re.search(r"    MarineError\n(    [├│└].*\n)+", marine_runtime.errors.__doc__)
    assert tree is not None
    drawn = "".join(line.removeprefix("    ") for line in tree[0].splitlines(keepends=True))
    assert drawn in (DOCS / "errors.md").read_text(encoding="utf-8")


def test_every_command_is_documented():
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    titles = {name for line in re.findall(r"^## (.+)$", text, re.MULTILINE) for name in line.split(", ")}
    assert set(COMMANDS) <= titles


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_is_documented(engine):
    assert f"\n## {engine}\n" in (DOCS / "engines.md").read_text(encoding="utf-8")
    assert f"\n| `{engine}`" in (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")

"""The specification in the tree: what source, tests and pages cite of it is there, and each statement has its tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marine_gen.binary.tags import ARRAY_TAG, RECORD_TAG, TAG_BY_PRIM
from marine_runtime.abi import HOST_NAMESPACES, AbiHelper, layout_of
from marine_runtime.types import Array, Prim, Record
from tests.support.markdown import anchors, links
from tests.support.paths import ROOT
from tests.support.specification import BLOCK, SPEC, TABLE, mapped, pages, sections

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


def test_the_table_of_contents_is_complete() -> None:
    assert {target for target in links(SPEC / "README.md") if "/" not in target} == {page.name for page in pages()}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_statement_has_one_row_of_tests(page: Path) -> None:
    """Each sentence, list item, block and row of a table; and no row is about something else."""
    listed = mapped(page)
    wrong, used = [], set()
    for title, statements in sections(page):
        anchor = title.lower().replace(" ", "-")
        of_section = [row for row in listed if row.section == anchor]
        for statement in statements:
            found = [row for row in of_section if row.is_about(statement)]
            used.update(found)
            if len(found) != 1:
                wrong.append(f"{title}: {len(found)} rows are about: {statement}")
    assert wrong == []
    assert [row for row in listed if row not in used] == []


def test_statements_are_what_is_said() -> None:
    """Sentences, rows, items and blocks; neither what introduces them nor what refers to another page."""
    found = dict(sections(SPEC / "linking.md"))
    assert found["Resolving imports"][:2] == [
        "Modules are loaded in order.",
        "a module that was loaded earlier and exports a visible function of that name, if the import has an adapter;",
    ]
    assert found["Listing"][:2] == [BLOCK, "Records are listed once for each structure."]
    found = dict(sections(SPEC / "calls.md"))
    assert found["Time and fuel"][-1] == "The stack of Wasm is 2 MiB by default."
    assert len([item for item in found["Order of events"] if item.startswith(TABLE)]) == 4


def rows(page: str, heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the specification, without backquotes."""
    _, _, text = (SPEC / page).read_text("utf-8").partition(f"\n## {heading}\n")
    lines = re.findall(r"^\| (.*) \|$", text.partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip("` ") for cell in line.split(" |")] for line in lines[2:]]


def test_types_are_those_of_the_code() -> None:
    named = {prim.value: prim for prim in Prim} | {"byte_array": Prim.BYTE_ARRAY}
    found = {named[name]: cells for name, *cells in rows("types.md", "Primitive types")}
    assert set(found) == set(Prim)
    for prim, (tag, carrier, size, allocate) in found.items():
        layout = layout_of(prim)
        assert int(tag, 16) == TAG_BY_PRIM[prim]
        assert [word.split()[0] for word in carrier.split(", ")] == [item.value for item in layout.carrier]
        assert (int(size), int(allocate)) == (layout.size, layout.tag), prim
    array, record = rows("types.md", "Composite types")
    for (_, tag, _, size, allocate), ty, wanted in (
        (array, Array(Prim.STRING), ARRAY_TAG),
        (record, Record(0), RECORD_TAG),
    ):
        layout = layout_of(ty)
        assert (int(tag.split("`")[0], 16), int(size), int(allocate)) == (wanted, layout.size, layout.tag)


def test_helpers_are_those_of_the_code() -> None:
    found = [(int(number), name, signature) for number, name, signature, _ in rows("memory.md", "ABI helpers")]
    assert [(number, name) for number, name, _ in found] == [(helper.value, helper.export) for helper in AbiHelper]
    for number, _, signature in found:
        core = AbiHelper(number).core
        given, result = signature.split(" → ")
        assert given == f"({', '.join(f'{item.type.value} {item.name}'.strip() for item in core.params)})" or (
            len(core.params) == 1 and given == "(i32)"
        )
        assert result == (core.results[0].value if core.results else "()")


def test_namespaces_are_those_of_the_code() -> None:
    assert tuple(row[0] for row in rows("host.md", "Namespaces")) == HOST_NAMESPACES

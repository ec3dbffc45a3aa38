"""No circle among modules, and none among folders, and their picture. Imports inside functions and for type checkers
count.
"""

from __future__ import annotations

import pytest

from tests.support.golden import check_file
from tests.support.paths import ROOT
from tests.support.scripts import load_script

LAYERS = load_script(ROOT / "docs" / "layers.py")


def test_circles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set[str]()}
    assert LAYERS.circles(edges) == [["a", "b", "c"]]


def test_imports_inside_functions_and_for_type_checkers_are_found() -> None:
    edges = LAYERS.graph(ROOT / "marine_gen")
    assert "marine_gen.repl.terminal" in edges["marine_gen.repl.run"]
    assert "marine_gen.inspect.views" in edges["marine_gen.inspect.show"]


@pytest.mark.parametrize("package", LAYERS.PACKAGES, ids=lambda path: path.name)
def test_modules_have_no_circle(package) -> None:
    assert LAYERS.circles(LAYERS.graph(package)) == []


@pytest.mark.parametrize("package", LAYERS.PACKAGES, ids=lambda path: path.name)
def test_folders_have_no_circle(package) -> None:
    assert LAYERS.circles(LAYERS.folders(package)) == []


def test_the_picture_of_the_layers_is_up_to_date() -> None:
    page = ROOT / "docs" / "architecture.md"
    check_file(page, LAYERS.architecture_page(page.read_text(encoding="utf-8")))

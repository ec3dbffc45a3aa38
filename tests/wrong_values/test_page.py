"""The page is what the golden files give."""

from __future__ import annotations

from tests.support.golden import check_file
from tests.wrong_values.page import FOLDER, PAGE, SECTIONS, page


def test_page() -> None:
    check_file(PAGE, page())


def test_every_golden_file_is_on_the_page() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {name for name, *_ in SECTIONS}

"""Configurations that the pages show can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from marine_runtime import parse_config
from tests.support.markdown import Block, blocks
from tests.support.paths import ROOT

BLOCKS = [
    block
    for page in sorted((ROOT / "docs").glob("*.md"))
    for block in blocks(page, "toml")
    # Projects of Python and of Rust, which `test_typed_packages_page` and `test_components_page` read.
    if not {"[build-system]", "[package]"} & {*block.text.splitlines()}
]


def test_there_are_some() -> None:
    assert {block.page.name for block in BLOCKS} >= {"configuration.md", "getting-started.md"}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_configuration_is_valid(block: Block, tmp_path: Path) -> None:
    for name in ("artifacts", "third_party"):
        (tmp_path / name).mkdir()
    assert parse_config(block.text, tmp_path).modules

"""The page on typed packages: its programs are right for mypy, its project is right for the build hook."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import marine_gen
from marine_gen.hatch.options import KEYS, SERVICE_KEYS, read_options
from tests.guests.descriptions import EXAMPLE_FOLDER
from tests.support.markdown import blocks
from tests.support.packages import mypy
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "typed-packages.md"


def test_programs_have_the_right_types(tmp_path: Path) -> None:
    marine_gen.build(EXAMPLE_FOLDER / "Config.toml", tmp_path / "packages" / "curl_service")
    programs = [block.text for block in blocks(PAGE, "py")]
    assert len(programs) == 2
    for number, text in enumerate(programs):
        (tmp_path / f"program_{number}.py").write_text(text.replace("host_functions=...", "host_functions=None"))
    names = [f"program_{number}.py" for number in range(len(programs))]
    code, output = mypy(tmp_path, *names, paths=[tmp_path / "packages"])
    assert code == 0, output


def test_the_project_is_right_for_the_hook() -> None:
    (block,) = blocks(PAGE, "toml")
    project = tomllib.loads(block.text)
    assert not read_options(project["tool"]["hatch"]["build"]["hooks"]["marine-gen"]).native


@pytest.mark.parametrize("key", [*KEYS, *SERVICE_KEYS])
def test_every_key_is_explained(key: str) -> None:
    assert f"\n| `{key}` | " in PAGE.read_text(encoding="utf-8")

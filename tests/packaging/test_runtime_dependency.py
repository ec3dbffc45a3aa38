"""The dependency on the runtime: the folder in a clone, a version in what is published."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from marine_gen._version import __version__
from tests.support.environments import new_environment
from tests.support.paths import ROOT

HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]["custom"]


def dependencies(root: Path) -> list[str]:
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))["RuntimeDependency"](str(root), HOOK)
    metadata: dict[str, Any] = {}
    hook.update(metadata)
    found: list[str] = metadata["dependencies"]
    return found


def test_a_clone_needs_its_own_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARINE_GEN_PUBLISHED", raising=False)
    assert dependencies(ROOT) == [f"marine-runtime @ {(ROOT / 'runtime').as_uri()}", *HOOK["dependencies"]]


def test_what_is_published_needs_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINE_GEN_PUBLISHED", "1")
    assert dependencies(ROOT)[0] == f"marine-runtime=={__version__}"


def test_without_the_folder_it_is_a_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MARINE_GEN_PUBLISHED", raising=False)
    (tmp_path / "marine_gen").mkdir()
    (tmp_path / "marine_gen" / "_version.py").write_bytes((ROOT / "marine_gen" / "_version.py").read_bytes())
    assert dependencies(tmp_path)[0] == f"marine-runtime=={__version__}"


@pytest.mark.slow
def test_one_command_installs_a_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MARINE_GEN_PUBLISHED", raising=False)
    environment = new_environment(tmp_path, [ROOT])
    module = ROOT / "tests" / "guests" / "greeting.wasm"
    assert environment.must("marine-gen", "run", module, "greeting.greeting", '["John"]') == '"Hi, John"\n'

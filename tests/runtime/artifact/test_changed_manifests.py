"""Manifests that were changed after the build but are still manifests: loading refuses them, without a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marine_gen.artifact import build, read_target
from marine_runtime import LoadError
from marine_runtime.artifact.load import load
from marine_runtime.artifact.manifest import MANIFEST
from tests.guests.descriptions import GUESTS_FOLDER

Change = Callable[[dict[str, Any]], None]


def _rename(entry: dict[str, Any]) -> None:
    entry["plan"]["name"] = "other"


def _shorten(entry: dict[str, Any]) -> None:
    del entry["plan"]["core"][2:]


def _forget_functions(entry: dict[str, Any]) -> None:
    entry["plan"]["exports"] = {}


def _forget_records(entry: dict[str, Any]) -> None:
    entry["plan"]["records"] = {}


def _glue_is_wasm(entry: dict[str, Any]) -> None:
    entry["files"]["python"] = entry["files"]["fused_python"] = entry["files"]["wasm"]


def _glue_is_text(entry: dict[str, Any]) -> None:
    entry["files"]["python"] = entry["files"]["fused_python"] = entry["files"]["text"]


@pytest.mark.parametrize("engine", ["fused", "closures"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename, "fused glue of module `other` does not fit: 'greeting_record'; build again"),
        (_shorten, "glue of module `greeting_record` does not fit the plan (IndexError: tuple index out of range)"),
        (_forget_functions, "glue of module `greeting_record` does not fit the plan (KeyError: "),
        (_forget_records, "glue of module `greeting_record` has a class for record"),
        (_glue_is_wasm, "is not Python"),
        (_glue_is_text, "is not a Python file"),
    ],
)
def test_a_plan_that_is_not_the_one_of_the_glue(tmp_path: Path, engine: str, change: Change, message: str) -> None:
    directory = tmp_path / "service"
    build(read_target({"greeting_record": GUESTS_FOLDER / "greeting_record.wasm"}), directory)
    manifest = json.loads((directory / MANIFEST).read_text("utf-8"))
    change(manifest["modules"][0])
    (directory / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    if change is _rename and engine == "closures":
        load(directory, engine=engine).close()  # a name is only a name there
        return
    with pytest.raises(LoadError) as caught:
        load(directory, engine=engine).close()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(name="\ud800"),
        lambda manifest: manifest["modules"][0]["plan"].update(name="\ud800"),
        lambda manifest: manifest["modules"][0]["files"]["wasm"].__setitem__(0, "\ud800.wasm"),
    ],
    ids=["service", "module", "file"],
)
def test_a_name_with_a_lone_surrogate(tmp_path: Path, change: Change) -> None:
    """JSON can spell it, but no file can be called so."""
    directory = tmp_path / "service"
    build(read_target({"greeting": GUESTS_FOLDER / "greeting.wasm"}), directory)
    manifest = json.loads((directory / MANIFEST).read_text("utf-8"))
    change(manifest)
    (directory / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(LoadError, match=r"its content is not as expected .*surrogates not allowed"):
        load(directory)

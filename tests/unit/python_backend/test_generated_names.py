"""Hostile names: whatever a Wasm file calls its things, the code made from it is valid, clean, and does its work."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact import compile_module
from marine_gen.generate import generate
from marine_gen.ir import build_module
from marine_gen.python_backend import generate as generate_python
from marine_runtime import Service
from marine_runtime.texts import identifier, identifiers
from tests.support.echo import TAKE_LOG, Memory, echo_module
from tests.support.engines import Modules, guests, normalised
from tests.support.hostile_names import ENDLESS, NAMES, SOME, TAKEN, description
from tests.support.packages import CACHE
from tests.support.paths import ROOT

RUFF = ("ruff", "check", "--isolated", "--no-cache", "--target-version", "py311", "--select", "E,F,W,I,B,UP,C4,PIE,PGH")
LAST = ("everything at once", "one record")


some_or_all = pytest.mark.parametrize(
    "names", [pytest.param(SOME, id="some"), pytest.param(NAMES, id="all", marks=pytest.mark.slow)]
)


@cache
def hostile(names: tuple[str, ...]) -> Modules:
    """Two modules whose things have all those names."""
    return {
        "inner": echo_module(description(names, ""), Memory()),
        '"""\n': echo_module(description(names), Memory()),
    }


@pytest.mark.costly
@some_or_all
def test_services_with_hostile_names(serve: Callable[..., Service], names: tuple[str, ...]) -> None:
    service = serve(hostile(names))
    for module in service.modules:
        functions = service.modules[module]
        for name in functions:
            if name not in LAST:
                assert normalised(functions[name]((f"text {name}",))) == (f"text {name}",)
                assert normalised(service.call(module, name, {name: {name: "x"}})) == ("x",)
                assert normalised(functions[name](**{identifier(name): ("y",)})) == ("y",)
        different = list(dict.fromkeys(names))
        texts = [f"{index}" for index in range(len(different))]
        assert service.call(module, LAST[0], texts) == "0"
        assert functions[LAST[0]](**dict(zip(identifiers(different), texts, strict=True))) == "0"
        assert service.call(module, LAST[0], dict(zip(different, texts, strict=True))) == "0"
        numbers = tuple(index % 256 for index in range(len(texts)))
        assert normalised(service.call(module, LAST[1], [numbers])) == numbers


@cache
def endless() -> str:
    """A module with all names, of which some are longer than any tool expects."""
    interfaces = generate(description((*NAMES, *ENDLESS)))
    return generate_python(build_module(ENDLESS[0], interfaces), generator="test", digest="0").source


def test_names_stay_data() -> None:
    """No identifier, statement or comment comes out of a name; lines stay short even if names are long."""
    source = endless()
    tree = ast.parse(source)
    assert source.isascii() or all(character.isprintable() or character == "\n" for character in source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    assert all(len(name) <= 100 and name.isascii() for name in names)
    imported = {item.module for item in ast.walk(tree) if isinstance(item, ast.ImportFrom)}
    standard = {"__future__", "array", "builtins", "collections.abc", "dataclasses", "struct", "_thread", "typing"}
    assert imported <= {*standard, "marine_runtime.support"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {name for name in attributes if name.startswith("__") and name != "__cause__"}


def run(*command: str, cwd: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={"MYPYPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


@some_or_all
def test_generated_code_is_clean(names: tuple[str, ...], tmp_path: Path) -> None:
    """Ruff with the rules of this project, on builds of every kind and on stubs; with all names, mypy in strict mode.

    Ruff reads all names in `endless.py`. The build has half of those given: mypy takes a while for so many.
    """
    folder = tmp_path / "checked"
    folder.mkdir()
    services: dict[str, Modules] = {
        "hostile": {
            "inner": echo_module(description(names[::2], ""), Memory()),
            '"""\n': echo_module(description(names[::2]), Memory()),
        },
        "records": guests("records_passing_effector", "records_passing_pure"),
        "arguments": guests("arguments_passing_effector", "arguments_passing_pure", "failing", "call_parameters"),
    }
    for name, modules in services.items():
        marine_gen.build(dict(modules), tmp_path / name)
        for path in sorted((tmp_path / name).iterdir()):
            # `client.py` and `pool.py` import their package, and are checked with it in `test_packages`. Next to its
            # stub, the source of a module would not be looked at.
            if path.suffix in (".py", ".pyi") and path.name not in ("client.py", "pool.py"):
                (folder / f"{name}_{path.stem}_{path.suffix[1:]}{path.suffix}").write_bytes(path.read_bytes())
    assert len(list(folder.iterdir())) >= 15
    (tmp_path / "endless.py").write_text(endless(), "utf-8")
    run(*RUFF, "checked", "endless.py", cwd=tmp_path)
    if names == NAMES:
        shutil.move(tmp_path / "endless.py", folder)
        run("mypy", "--strict", "--config-file=", "--cache-dir", CACHE, "checked", cwd=tmp_path)


def test_echoing_modules_have_no_log_of_their_own() -> None:
    """The names above cover what they say they cover: nothing was dropped on the way into a module."""
    plan = compile_module("inner", hostile(NAMES)["inner"]).plan
    assert set(plan.exports) == {*NAMES, *LAST} - set(TAKEN)
    assert TAKE_LOG.name not in plan.exports

"""Built directories of another format: refused with the command that mends them, built again in the cache."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Literal

import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import compile_module
from marine_gen.artifact.fuse import fuse
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Vector, generate
from marine_gen.ir import build_module
from marine_gen.python_backend import generate as generate_python
from marine_runtime import LoadError, support
from marine_runtime.abi.plan import FORMAT
from marine_runtime.artifact.manifest import MANIFEST
from marine_runtime.pool import ServicePool
from tests.support.golden import GOLDEN, check_file
from tests.support.hostile_names import NAMES, description
from tests.support.paths import ROOT, TESTS
from tests.support.samples import sampled

GUESTS = TESTS / "guests"

PUBLIC = ("Link", "ModuleHandle", "Modules", "Service", "ServicePool", "load")
"""Interfaces of users, and what the runtime passes in: generated code inherits, annotates or hands them on."""

OLD = f"built in format 1, this version reads format {FORMAT}: build it again with `marine-gen build SOURCE -o "


@pytest.fixture
def built(tmp_path: Path) -> Path:
    directory = tmp_path / "builds of greeting" / "old_service"
    marine_gen.build({"greeting": GUESTS / "greeting.wasm"}, directory)
    return directory


@pytest.fixture
def old(built: Path) -> Path:
    """A directory whose manifest says format 1."""
    manifest = json.loads((built / MANIFEST).read_text("utf-8"))
    (built / MANIFEST).write_text(json.dumps(manifest | {"format": 1}), "utf-8")
    return built


@pytest.mark.parametrize("load", [marine_gen.load, marine_runtime.load], ids=["compiler", "runtime"])
def test_an_older_directory_is_refused(old: Path, load: Callable[[Path], object]) -> None:
    with pytest.raises(LoadError, match=re.escape(OLD)):
        load(old)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_a_pool_refuses_it(old: Path, kind: Literal["processes", "threads"]) -> None:
    with pytest.raises(LoadError, match=re.escape(OLD)):
        ServicePool(old, kind=kind, workers=1)


COMMANDS = (
    *("run {} greeting.greeting", "bench {} greeting.greeting", "repl {}", "check {}", "explain {}", "graph {}"),
    *("interface {}", "aqua {}"),
)
"""All commands that take built directories."""


@pytest.mark.parametrize("command", sampled(COMMANDS, lambda command: command.split()[0] in ("run", "repl", "check")))
def test_every_command_refuses_it(old: Path, command: str) -> None:
    words = shlex.split(command.format(shlex.quote(str(old))))
    done = subprocess.run(
        [sys.executable, "-m", "marine_gen", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"{OLD}{shlex.quote(str(old))}`" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_the_advice_works_when_followed(old: Path) -> None:
    source = GUESTS / "greeting.wasm"
    with pytest.raises(LoadError) as caught:
        marine_runtime.load(old)
    found = re.search(r"`marine-gen (build SOURCE -o [^`]*)`", str(caught.value))
    assert found
    words = [str(source) if word == "SOURCE" else word for word in shlex.split(found[1])]
    subprocess.run([sys.executable, "-m", "marine_gen", *words], check=True, capture_output=True, cwd=ROOT)
    with marine_runtime.load(old) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"


def test_a_package_of_another_format_is_refused_when_it_is_imported(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = built / "__init__.py"
    init.write_text(init.read_text("utf-8").replace(f"__require_format({FORMAT},", "__require_format(1,"), "utf-8")
    monkeypatch.syspath_prepend(str(built.parent))
    with pytest.raises(LoadError, match=re.escape(f"`{built}` was {OLD}{shlex.quote(str(built))}`")):
        importlib.import_module(built.name)


def test_a_package_of_format_1_is_refused_when_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "first_service"
    package.mkdir()
    (package / "__init__.py").write_text("from marine_runtime.packages import Declared\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for _ in range(2):
        with pytest.raises(LoadError, match=re.escape(f"`{package}` was {OLD}{package}`")):
            importlib.import_module("first_service")


def test_the_cache_compiles_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path))
    for _ in range(2):
        with marine_gen.load(GUESTS / "greeting.wasm") as service:
            assert service.modules.greeting.greeting("x") == "Hi, x"
        (manifest,) = tmp_path.glob(f"*/{MANIFEST}")
        content = json.loads(manifest.read_text("utf-8"))
        assert content["format"] == FORMAT
        manifest.write_text(json.dumps(content | {"format": 1}), "utf-8")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> list[ast.Module]:
    """Generated Python of every kind: of packages, of both engines, for all guests and for types that no guest has."""
    directory = tmp_path_factory.mktemp("package") / "greeting"
    marine_gen.build({"greeting": GUESTS / "greeting.wasm"}, directory)
    found = [path.read_text("utf-8") for path in sorted(directory.glob("*.py*"))]
    for path in sorted(GUESTS.glob("*.wasm")):
        module = compile_module(path.stem, path.read_bytes())
        closures = module.generate()
        (fused,) = fuse([module])
        found += [closures.source, closures.stub, *([fused.python.source, fused.python.stub] if fused else [])]
    node = RecordDeclaration("Node", (Member("children", Vector(Named("Node"))),))
    recursive = Description((node,), (Signature("f", (Member("tree", Named("Node")),), Named("Node")),))
    for described in (description(NAMES[::4]), recursive):
        found.append(generate_python(build_module("m", generate(described)), generator="test", digest="0").source)
    return [ast.parse(source) for source in found]


_CLIENT = "marine_gen.client"
"""The module from which `client.py` of a package takes what it needs beyond the runtime."""


def _requested(tree: ast.Module) -> set[str]:
    """The names that a generated file takes from the runtime; it takes them from one module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Import) and "marine" in node.names[0].name)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("marine_"):
            assert node.module in ("marine_runtime.support", _CLIENT)
            found |= {alias.name for alias in node.names if node.module != _CLIENT}
    return found


def test_generated_files_import_from_one_module(generated: list[ast.Module]) -> None:
    """Everything that any of them asks for is offered, and nothing else is."""
    requested = {name for tree in generated for name in _requested(tree)}
    assert requested == set(support.__all__)
    assert all(hasattr(support, name) for name in support.__all__)


def test_what_generated_code_may_ask_for_has_a_number(generated: list[ast.Module]) -> None:
    """The file has the number of the format in its name: where its content has to change, the number changes too.

    A build of the number before would find something else than it was made for, and is refused instead.
    """
    attributes = {node.attr for tree in generated for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    lines = [_offered(name) for name in sorted(support.__all__)]
    shown = [*lines, "", "attributes and methods:", *sorted(attributes)]
    check_file(GOLDEN / "generated" / f"support_{FORMAT}.txt", "\n".join(shown) + "\n")


def _offered(name: str) -> str:
    """A name of `support` with the parameters of what it stands for, where generated code calls that itself."""
    offered = getattr(support, name)
    if name in PUBLIC or not callable(offered):
        return name
    if isinstance(offered, type) and issubclass(offered, (Exception, Enum)):
        return name
    parameters = inspect.signature(offered).parameters.values()
    shown = [item.name if item.default is item.empty else f"{item.name}=…" for item in parameters]
    return f"{name}({', '.join(shown)})"

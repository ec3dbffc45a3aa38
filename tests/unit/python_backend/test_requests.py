"""Requests of generated Python: everything that it binds for itself is used, and everything that it uses is bound."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

import pytest

from marine_gen.artifact import compile_module
from marine_gen.artifact.fuse import fuse
from marine_gen.generate import generate
from marine_gen.ir import build_module
from marine_gen.python_backend import generate as generate_python
from tests.support.hostile_names import SOME, description
from tests.support.paths import TESTS

GUESTS = sorted((TESTS / "guests").glob("*.wasm"))
READ_BY_PYTHON = {"__slots__"}
OFFERED = frozenset(
    {
        *("__bind", "__records", "__imports", "__marine_sites__"),
        *("__fused_hosts", "__fused_needs", "__fused_stub_needs", "__fused_imports", "__fused_sites"),
    }
)
"""Names that the runtime takes out of a generated module."""


def sources() -> Iterator[tuple[str, str]]:
    for path in GUESTS:
        module = compile_module(path.stem, path.read_bytes())
        yield path.stem, module.generate().source
        (fused,) = fuse([module])
        if fused:
            yield f"{path.stem}, fused", fused.python.source
    hostile = build_module("m", generate(description(SOME)))
    yield "hostile names", generate_python(hostile, generator="test", digest="0").source


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(source) for name, source in sources()}


def bound(tree: ast.Module) -> set[str]:
    """Own names that are imported, assigned or defined."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=origin, names=names) if origin != "__future__":
                found |= {alias.asname or alias.name for alias in names}
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                found.add(name)
            case ast.ExceptHandler(name=str(name)):
                found.add(name)
    return {name for name in found if name.startswith("__")}


def used(tree: ast.Module) -> set[str]:
    """Own names that are read, in annotations too."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return {name for name in names if name.startswith("__")} - set(dir(builtins))


def test_nothing_is_bound_in_vain(trees: dict[str, ast.Module]) -> None:
    for name, tree in trees.items():
        assert bound(tree) - used(tree) - OFFERED - READ_BY_PYTHON == set(), name


def test_everything_is_bound(trees: dict[str, ast.Module]) -> None:
    for name, tree in trees.items():
        assert used(tree) - bound(tree) == set(), name


def test_own_names_begin_with_two_underscores(trees: dict[str, ast.Module]) -> None:
    """No file binds anything else at its top level or in `bind`, apart from classes, which are called like records."""
    for name, tree in trees.items():
        (bind,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        for node in (*tree.body, *bind.body):
            match node:
                case ast.ImportFrom(module=origin, names=names):
                    assert origin == "__future__" or all(str(alias.asname).startswith("__") for alias in names), name
                case ast.Assign(targets=[ast.Name(id=alias)], value=ast.Name()) if not alias.startswith("__"):
                    assert alias.startswith("_"), name  # of a type, for class bodies, where two would be mangled
                case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
                    assert target.startswith("__"), name
                case ast.FunctionDef(name=function):
                    assert function.startswith("__"), name
                case _:
                    assert isinstance(node, (ast.ClassDef, ast.Expr, ast.Return)), name

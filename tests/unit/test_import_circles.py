"""No circle among modules, and none among folders. Imports inside functions and for type checkers count."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = [ROOT / "marine_gen", ROOT / "runtime" / "marine_runtime"]


def modules(package: Path) -> dict[str, Path]:
    """The files of a package by the names that imports have for them."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules among `known` that a file imports; `from x import y` is `x.y` where that is a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in inner]
        yield from (name for name in names if name in known)


def graph(package: Path) -> dict[str, set[str]]:
    """The modules of a package, each with those that it imports."""
    known = modules(package)
    return {name: set(imports(path, known)) - {name} for name, path in known.items()}


def folders(edges: Mapping[str, set[str]], package: Path) -> dict[str, set[str]]:
    """The same for folders right below the package; a file beside them is one of its own."""

    def folder(module: str) -> str:
        names = module.split(".")
        return names[1] if len(names) > 1 else ""

    found: dict[str, set[str]] = {folder(name): set() for name in edges}
    for name, targets in edges.items():
        found[folder(name)] |= {folder(target) for target in targets} - {folder(name)}
    return found


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one node (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges[node]:
            if target not in index:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set()}) == [["a", "b", "c"]]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_modules_have_no_circle(package: Path) -> None:
    assert circles(graph(package)) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_folders_have_no_circle(package: Path) -> None:
    assert circles(folders(graph(package), package)) == []

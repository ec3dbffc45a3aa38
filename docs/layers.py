"""The layers of both packages, from their imports: the picture in `architecture.md`, and every circle.

    python docs/layers.py

Imports inside functions and those for type checkers count. A layer imports only layers below it; its number is the
length of the longest chain of imports under it. Tests compare the picture, and want no circle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = (ROOT / "marine_gen", ROOT / "runtime" / "marine_runtime")
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "```text layers\n", "```\n"

_HIDDEN = ("", "__main__", "_version")  # the public functions of a package, its entry point, its version

Graph = Mapping[str, set[str]]
"""Nodes with those that they import."""


def modules(package: Path) -> dict[str, Path]:
    """The files of a package by the names that imports have for them."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules among `known` that a file imports; `from x import y` is `x.y` where that is a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in inner]
        yield from (name for name in names if name in known)


@cache
def graph(package: Path) -> Graph:
    """The modules of a package."""
    known = modules(package)
    return {name: set(imports(path, known)) - {name} for name, path in known.items()}


def folders(package: Path) -> Graph:
    """The folders right below a package; a file beside them is one of its own, the package itself is the empty name."""

    def folder(module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    edges = graph(package)
    found: dict[str, set[str]] = {folder(name): set() for name in edges}
    for name, targets in edges.items():
        found[folder(name)] |= {folder(target) for target in targets} - {folder(name)}
    return found


def circles(edges: Graph) -> list[list[str]]:
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


def layers(edges: Graph) -> list[list[str]]:
    """The nodes by layer, lowest first; there must be no circle."""
    known: dict[str, int] = {}

    def layer(node: str) -> int:
        if node not in known:
            known[node] = 1 + max(map(layer, edges[node]), default=-1)
        return known[node]

    found: list[list[str]] = [[] for _ in range(1 + max(map(layer, edges)))]
    for node in sorted(edges):
        found[layer(node)].append(node)
    return found


def picture() -> str:
    """Both packages as lines of text, the highest layer first; the compiler is above the runtime."""
    return "  imports ↓, never back\n".join(map(_box, PACKAGES))


def _box(package: Path) -> str:
    shown = [[name for name in names if name not in _HIDDEN] for names in layers(folders(package))]
    lines = [" · ".join(names) for names in reversed(shown) if names]
    width = max(map(len, [package.name, *lines]))
    rows = "".join(f"│ {line:<{width}} │\n" for line in lines)
    return f"┌─ {package.name} {'─' * (width - len(package.name) - 1)}┐\n{rows}└{'─' * (width + 2)}┘\n"


def architecture_page(current: str) -> str:
    """`current`, the text of `architecture.md`, with the picture as it is now."""
    before, _, rest = current.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{picture()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(architecture_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

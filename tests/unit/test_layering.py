"""The order of imports: the runtime stands alone, stages and rooms import earlier ones, one package knows wasmtime."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

from marine_gen.artifact import ENGINES
from tests.support.paths import ROOT
from tests.support.sources import nodes, tree

COMPILER = ROOT / "marine_gen"
RUNTIME = ROOT / "runtime" / "marine_runtime"

ORDER = (
    *("diagnostics", "codegen", "parsing", "wasm", "interfaces", "binary", "text", "generate", "idl", "ir"),
    *("reflect", "passes", "interpreter", "python_backend", "wasm_backend", "component_backend", "package", "links"),
    *("guest", "artifact"),
    *("hatch", "bench", "graph", "console", "inspect", "wire", "client", "serve", "repl", "cli"),
)
"""Stages, earliest first; each may import itself and those before it."""

ROOMS = (
    *(
        "lazy",
        "errors",
        "types",
        "texts",
        "abi",
        "config",
        "values",
        "wasm",
        "calls",
        "wasi",
        "adapters",
        "host",
    ),
    *("traces", "linking", "service", "artifact", "pool", "ray", "support", "packages"),
)
"""Rooms of the runtime, from the ground up; each may import itself and those before it."""

INTERFACES = 11
"""Modules of the runtime that the compiler may know at most, beside the package itself, which users have."""

ENTRIES = 22
"""Files and folders of the runtime at most."""

ENGINE_TABLES = (RUNTIME / "artifact" / "engines.py", COMPILER / "artifact" / "engines.py")
"""The only files that may compare names of engines."""

THIRD_PARTY = {
    "parsing": {"lark"},
    "text": {"lark"},
    "idl": {"lark"},
    "codegen": {"jinja2"},
    "hatch": {"hatchling", "packaging"},  # where hatchling is, packaging is
    "bench": {"rich"},
    "graph": {"rich"},  # how wide texts are
    "console": {"click", "rich"},
    "inspect": {"click", "rich"},
    "cli": {"click", "rich", "wasmtime"},  # `doctor` says what is wrong with wasmtime
    "client": {"httpx"},
    "serve": {"uvicorn", "httptools", "prometheus_client", "opentelemetry"},
    "repl": {"click", "prompt_toolkit", "platformdirs"},
}
"""Third-party packages that a stage may import."""


@cache
def imported(path: Path) -> tuple[tuple[int, str], ...]:
    """Line and absolute name of everything that a file imports, inside functions too."""
    found: list[tuple[int, str]] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return tuple(found)


def files(folder: Path) -> list[Path]:
    """The files of a stage, which is a folder or a single file."""
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    assert found
    return found


def test_every_stage_has_its_place() -> None:
    present = {path.stem for path in COMPILER.iterdir() if (path / "__init__.py").is_file() or path.suffix == ".py"}
    assert present - {"__init__", "__main__", "_version"} <= set(ORDER)


def test_the_runtime_stands_alone() -> None:
    allowed = {*sys.stdlib_module_names, "marine_runtime", "wasmtime"}
    for path in files(RUNTIME):
        extra = {"ray"} if RUNTIME / "ray" in path.parents else set()
        if path == RUNTIME / "wasm" / "speedups.py":  # it is optional
            extra = {"marine_speedups"}
        for line, name in imported(path):
            assert name.split(".")[0] in allowed | extra, f"{path}:{line}: {name}"


def test_ray_is_imported_with_the_first_name_of_its_package() -> None:
    for path in (RUNTIME / "ray").glob("*.py"):
        if path.stem in ("__init__", "artifact", "options"):
            assert "ray" not in {name.split(".")[0] for _, name in imported(path)}, path
    for path in files(RUNTIME):
        if RUNTIME / "ray" not in path.parents:
            assert not [name for _, name in imported(path) if name.startswith("marine_runtime.ray")]


def test_wasmtime_is_named_in_its_wrapper_only() -> None:
    for path in files(RUNTIME):
        if RUNTIME / "wasm" not in path.parents:
            names = [name for _, name in imported(path) if name.split(".")[0] == "wasmtime"]
            assert names == [], path


def test_private_names_of_wasmtime_are_used_in_one_file() -> None:
    """Their objects' private attributes, and private modules of the package."""
    ours = {node.attr for path in files(RUNTIME) for node in nodes(path) if own(node)}
    for path in files(RUNTIME / "wasm"):
        if path.relative_to(RUNTIME) == Path("wasm", "capi", "library.py"):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                assert own(node) or node.attr in ours, f"{path}:{node.lineno}: {ast.unparse(node)}"


def own(node: ast.AST) -> bool:
    """True if `node` is an attribute of `self` or `cls`."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


@pytest.mark.parametrize("stage", ORDER)
def test_stages_import_earlier_stages(stage: str) -> None:
    folder = COMPILER / stage
    if not folder.is_dir() and not folder.with_suffix(".py").is_file():
        pytest.skip("not there yet")
    earlier = {f"marine_gen.{name}" for name in ORDER[: ORDER.index(stage) + 1]}
    outside = {*sys.stdlib_module_names, "marine_runtime", *THIRD_PARTY.get(stage, set())}
    for path in files(folder):
        for line, name in imported(path):
            if name.startswith("marine_gen.") and not name.startswith("marine_gen._version"):
                # The command line is the outermost layer and may use the public functions of the package itself.
                public = stage == "cli" and name.count(".") == 1
                assert public or ".".join(name.split(".")[:2]) in earlier, f"{path}:{line}: {name}"
            elif name.split(".")[0] != "marine_gen":
                assert name.split(".")[0] in outside, f"{path}:{line}: {name}"
            else:
                assert stage == "cli" or name.startswith("marine_gen._version"), f"{path}:{line}: {name}"


@pytest.mark.parametrize("stage", ["text", "idl"])
def test_both_languages_are_siblings(stage: str) -> None:
    other = "idl" if stage == "text" else "text"
    for path in files(COMPILER / stage):
        names = [name for _, name in imported(path) if name.startswith(f"marine_gen.{other}")]
        assert names == [], path


def test_every_room_has_its_place() -> None:
    # A folder that an older checkout left behind holds compiled files only.
    there = (path for path in RUNTIME.iterdir() if path.is_file() or any(path.glob("*.py")))
    entries = {path.stem for path in there if path.name not in ("__init__.py", "py.typed")}
    assert entries <= set(ROOMS)
    assert len(entries) + 2 <= ENTRIES


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_rooms_below(room: str) -> None:
    folder = RUNTIME / room
    if not folder.is_dir() and not folder.with_suffix(".py").is_file():
        pytest.skip("not there yet")
    below = {f"marine_runtime.{name}" for name in ROOMS[: ROOMS.index(room) + 1]}
    for path in files(folder):
        for line, name in imported(path):
            if name.split(".")[0] == "marine_runtime":
                assert ".".join(name.split(".")[:2]) in below, f"{path}:{line}: {name}"


def test_files_of_the_runtime_import_each_other_directly() -> None:
    """The list of a room is for others; inside the runtime it would only hide which file needs which."""
    # The lists of these are interfaces for the runtime too, and what users import.
    allowed = {"marine_runtime.wasm", "marine_runtime.wasi", "marine_runtime.pool"}
    for path in files(RUNTIME):
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and (RUNTIME.parent / str(node.module).replace(".", "/")).is_dir():
                names = [RUNTIME.parent / str(node.module).replace(".", "/") / f"{item.name}.py" for item in node.names]
                assert node.module in allowed or all(name.is_file() for name in names), f"{path}:{node.lineno}"


def test_the_compiler_knows_few_modules_of_the_runtime() -> None:
    found = set()
    for path in files(COMPILER):
        for _, name in imported(path):
            if name.split(".")[0] == "marine_runtime":
                place = RUNTIME.parent / name.replace(".", "/")
                inside = place.is_dir() or place.with_suffix(".py").is_file()
                found.add(name if inside and name != "marine_runtime.traces" else name.rpartition(".")[0] or name)
    assert len(found - {"marine_runtime"}) <= INTERFACES, sorted(found)


def test_public_classes_have_names_of_their_own() -> None:
    """Those over the C API have the names that wasmtime-py gives them."""
    places: dict[str, list[str]] = {}
    for package in (COMPILER, RUNTIME):
        for path in files(package):
            for node in nodes(path):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_engines_are_told_apart_in_their_tables_only() -> None:
    names = set(ENGINES)
    for package in (COMPILER, RUNTIME):
        for path in files(package):
            if path in ENGINE_TABLES:
                continue
            for node in nodes(path):
                compared: list[ast.AST] = []
                if isinstance(node, ast.Compare):
                    compared = [node.left, *node.comparators]
                elif isinstance(node, ast.MatchValue):
                    compared = [node.value]
                said = {leaf.value for item in compared for leaf in ast.walk(item) if isinstance(leaf, ast.Constant)}
                assert not said & names, f"{path}:{getattr(node, 'lineno', 0)}"


@pytest.mark.parametrize("package", [COMPILER, RUNTIME], ids=lambda path: path.name)
def test_files_are_short_and_say_what_they_do(package: Path) -> None:
    for path in files(package):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 420, path
        assert ast.get_docstring(tree(path)), path

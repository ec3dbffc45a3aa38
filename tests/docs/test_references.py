"""Names that prose mentions exist: in pages, docstrings and comments, whatever stands in backquotes."""

from __future__ import annotations

import ast
import builtins
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import pytest

from marine_gen.cli import cli
from tests.support.paths import ROOT
from tests.support.sources import nodes

FOLDERS = ("marine_gen", "runtime", "tests", "docs", "examples", "grammar")
OTHER_FILES = {
    *(".c", ".h", ".idl", ".it", ".j2", ".js", ".lark", ".rs"),
    *(".toml", ".ts", ".txt", ".wat", ".golden", ".yml"),
}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "grammar/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    # The rows of `conformance.md` name tests of Marine, those of `wrong-values.md` wrong names.
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name not in ("conformance.md", "wrong-values.md")),
]
PLACEHOLDER = re.compile(r"NAME|TYPE|MODULE|NUMBER|LEVEL|FROM|TO|from_[TYy]$|^[A-Z]_|^iN\.|^_v\d$|__2|NaN")
FOREIGN = {
    name
    for names in {
        "of other systems": "cabi_realloc allowed_hosts allowed_paths max_pages call module_wasi_state freeze_support",
        "of Wasmtime, the system and CPython": "wasmtime_strategy_enum wasmtime_error_t wasm_trap_t wasm_functype_t "
        "wasmtime_memory_t wasmtime_func_unchecked_callback_t pthread_attr_t Dl_info Py_DEBUG",
        "metrics, whose names are made of parts": "marine_calls_cancelled_total marine_copies_replaced_total "
        "marine_growths_refused_total marine_instances marine_processes marine_reloads_total marine_running",
        "names that are generated": "x_ptr Result_2 ARRAY_keep_push __name glue_text",
    }.values()
    for name in names.split()
}
OPTIONS_OF_OTHERS = {
    option
    for options in {
        "of cargo and marine": "--init --locked --manifest-path --name --profile --target-dir",
        "of pip, Ray and jco": "--no-deps --head --multi-memory --generate",
        "of scripts of ours": "--address --quick --calls --runs --cases --seconds --seed",
        "of earlier versions": "--backend",
    }.values()
    for option in options.split()
}


NAMING = ("id", "attr", "name", "arg", "asname", "module")
"""The attributes of nodes that hold a name."""
COMMENT = re.compile(r"(?:^|\s)#\s.*`.*")


def python_files() -> list[Path]:
    """All of the project."""
    return [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if not {".cache", "node_modules"} & {*path.relative_to(ROOT).parts}
    ]


def docstrings(path: Path) -> set[int]:
    """The identities of the strings of a file that are statements."""
    return {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}


@cache
def names() -> frozenset[str]:
    """All words of code and of data, without those of docstrings and comments."""
    found = {*dir(builtins), *dir(os), *dir(sys), *sys.stdlib_module_names}
    for path in python_files():
        found.update(path.with_suffix("").parts)
        if path == Path(__file__):
            continue
        prose = docstrings(path)
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                found.update(re.findall(r"\w+", node.value))
            for name in NAMING:
                if isinstance(value := getattr(node, name, None), str):
                    found.update(value.split("."))
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in OTHER_FILES and not {".cache", "node_modules"} & {*path.relative_to(ROOT).parts}:
                found.update(re.findall(r"\w+", path.read_text("utf-8", errors="replace")))
    return frozenset(found)


@cache
def prose() -> tuple[tuple[str, str], ...]:
    """Each page, docstring and comment, with its place."""
    return tuple(_prose())


def _prose() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield str(page.relative_to(ROOT)), page.read_text("utf-8")
    for path in python_files():
        found = docstrings(path)
        place = str(path.relative_to(ROOT))
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) in found:
                yield f"{place}:{node.lineno}", node.value
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if comment := COMMENT.search(line):
                yield f"{place}:{number}", comment[0]


def quoted(text: str) -> list[str]:
    """The texts in backquotes, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^( *)```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))


def test_names_exist() -> None:
    """Those with an underscore or a dot; single words may be anything."""
    missing = [
        f"{place}: {item}"
        for place, text in prose()
        for item in quoted(text)
        if re.fullmatch(r"[A-Za-z_][\w.]*(\(.*\))?", item)
        and ("_" in item or "." in item)
        and not PLACEHOLDER.search(item)
        and item.partition("(")[0].rpartition(".")[2] not in FOREIGN
        and not {*re.findall(r"\w+", item.partition("(")[0])} <= names()
    ]
    assert missing == []


def resolves(name: str) -> bool:
    """True if a module, or an attribute of one, has that qualified name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if not name.startswith(error.name or "."):
                return True  # of an extra that is not installed here
            continue
        for part in parts[length:]:
            fields = getattr(value, "__dataclass_fields__", {})
            if not hasattr(value, part) and part not in fields and part not in getattr(value, "__annotations__", {}):
                return False
            value = getattr(value, part, None)
        return True
    return False


def test_qualified_names_resolve() -> None:
    named = {
        (place, match[1])
        for place, text in prose()
        for item in quoted(text)
        if (match := re.fullmatch(r"(marine_(?:gen|runtime)(?:\.\w+)+)(\(.*\))?", item))
    }
    assert len(named) > 50
    assert [(place, name) for place, name in sorted(named) if not resolves(name)] == []


def source_of(path: str) -> str:
    """The text of a file that is named by its path in the tree, or by the end of it."""
    found = [item for item in python_files() if str(item).endswith(f"/{path}")]
    return "\n".join(item.read_text("utf-8") for item in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_of_files_are_in_them(page: Path) -> None:
    """As in "`NAME`, `NAME` of `marine_gen/FILE.py`"."""
    missing = [
        (name, path)
        for some, path in re.findall(r"((?:`\w+`,? (?:…,? )?)+)of `([\w/]+/[\w/]+\.py)`", page.read_text("utf-8"))
        for name in quoted(some)
        if not re.search(rf"\b{name}\b", source_of(path))
    ]
    assert missing == []


FILE = re.compile(r"(?<![\w/.<{*$-])((?:[\w-]+/)+[\w.-]+\.(?:py|wat|j2|lark|toml|md|golden|svg))\b(?![\w/])")


def test_files_that_docstrings_name_are_in_the_tree() -> None:
    """By the end of their path, as in "`adapters/pack.py`"; `test_pages` looks at pages."""
    ends = {
        "/".join(parts[start:])
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        for parts in [path.relative_to(ROOT).parts]
        for start in range(len(parts))
    }
    named = {(place, path) for place, text in prose() if ".md" not in place for path in FILE.findall(text)}
    assert len(named) > 50
    assert {item for item in named if item[1] not in ends and "FILE" not in item[1]} == set()


def options(command: click.Command) -> set[str]:
    """All options of a command and of those below it."""
    found = {option for item in command.params for option in (*item.opts, *item.secondary_opts)}
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            found |= options(inner)
    return found


def test_options_exist() -> None:
    known = options(cli) | OPTIONS_OF_OTHERS | {"--help"}
    missing = [
        f"{place}: {option}"
        for place, text in prose()
        if not place.startswith(("tests/", "runtime/speedups"))
        for item in quoted(text)
        if not item.startswith(("python ", "make "))
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", item)
        if option not in known
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_have_the_options_that_pages_give_them(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = [line for line in text.splitlines() if re.match(r"(\$ )?marine-gen ", line)]
    wrong = []
    for line in [*lines, *(item for item in quoted(text) if item.startswith("marine-gen "))]:
        command: click.Command = cli
        ours, _, _ = line.partition(" -- ")
        for word in ours.removeprefix("$ ").split()[1:]:
            inner = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
            command = inner or command
        known = options(command) | options(cli) & {"--debug", "--version"} | {"--help"}
        wrong += [f"{line}: {option}" for option in re.findall(r"(?<= )--[a-z][a-z-]+", ours) if option not in known]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_variables_and_targets_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert {*re.findall(r"\bMARINE_[A-Z][A-Z_]*[A-Z]\b", text)} <= names() | {*re.findall(r"\w+", makefile)}
    targets = {target for item in quoted(text) for target in re.findall(r"^make ([a-z0-9-]+)", item)}
    assert targets <= {*re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE)}


def test_what_does_not_exist_is_found() -> None:
    """References that a page and docstrings had."""
    assert not resolves("marine_gen.connect")
    assert not resolves("marine_runtime.adapters.staging.step_info")
    assert resolves("marine_runtime.Service.call")
    assert not {"config_file", "host_types"} & names()

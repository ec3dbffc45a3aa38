"""The Rust items behind findings in the description of a module.

The SDK writes a section per item, so a finding names an item: a function, a struct, an `extern` block. The place of
that item in the sources of the workspace is found by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from marine_gen.diagnostics import Diagnostic, DiagnosticError, SourceSpan
from marine_gen.generate.sections import PREFIXES
from marine_gen.guest.rust.workspace import Crate, Workspace
from marine_runtime.abi import HOST_NAMESPACES
from marine_runtime.texts import quoted

_WITHIN = re.compile(r"(function|record|import(?: from)?) `(.*?)`")
_MAX_SOURCE = 4_000_000
_NEARBY = 300  # characters in which an attribute stands above its item
_ATTRIBUTE = re.compile(r"#\[(?:\w+::)?(?:marine|fce)\b")


@dataclass(frozen=True, slots=True)
class _Item:
    """The name of an item in messages, and the pattern of its first line, with the name as a group."""

    shown: str
    pattern: str


def locate_items(error: DiagnosticError, crate: Crate, workspace: Workspace, module: Path) -> DiagnosticError:
    """The same findings, each at its Rust item.

    Args:
        error: findings about the description of a module.
        crate: the crate of the module.
        workspace: the crates whose sources may have the items.
        module: the file that the findings are about.
    """
    own = [crate.directory, *(folder for folder in workspace.sources if folder != crate.directory)]
    return DiagnosticError([_located(finding, crate, own, module) for finding in error.diagnostics])


def _located(finding: Diagnostic, crate: Crate, folders: Sequence[Path], module: Path) -> Diagnostic:
    items = list(_items(finding))
    if not items:
        return replace(finding, source=str(module))
    for item in items:
        for path, span in _places(item, folders):
            notes = (*finding.notes, f"found in `{module}`")
            return replace(finding, source=_shown(path), span=span, within=_within(finding, [item], crate), notes=notes)
    return replace(finding, source=str(module), within=_within(finding, items, crate))


def _within(finding: Diagnostic, items: Sequence[_Item], crate: Crate) -> str:
    """The place as the finding has it, with the Rust item in front."""
    names = " or ".join(f"`{item.shown}`" for item in items)
    place = f"{names} of crate {quoted(crate.name)}"
    return f"{place}, {finding.within}" if finding.within else place


def _items(finding: Diagnostic) -> Iterator[_Item]:
    """The items that a finding may be about, several because a section has a name but no kind of item."""
    section = finding.span.section if finding.span else ""
    for prefix in PREFIXES:
        if section.startswith(prefix):
            name = section.removeprefix(prefix)
            if name.isidentifier() and name not in HOST_NAMESPACES:
                yield from (_function(name), _record(name))
            yield _imports(name)
            return
    if match := _WITHIN.match(finding.within):
        kind, name = match.groups()
        if kind == "function":
            yield _function(name)
        elif kind == "record":
            yield _record(name)
        elif kind == "import":
            namespace, _, function = name.rpartition(".")
            yield _function(function)
            yield _imports(namespace)
        else:
            yield _imports(name)


def _function(name: str) -> _Item:
    # An imported function may have another name in Rust, and this one as an attribute.
    return _Item(f"fn {name}", rf'^[^/\n"]*\bfn\s+({re.escape(name)})\b|link_name\s*=\s*"({re.escape(name)})"')


def _record(name: str) -> _Item:
    return _Item(f"struct {name}", rf'^[^/\n"]*\bstruct\s+({re.escape(name)})\b')


def _imports(namespace: str) -> _Item:
    if namespace in HOST_NAMESPACES:
        return _Item("#[host_import]", r"^\s*#\[(host_import)\b")
    name = re.escape(namespace)
    return _Item(f'extern block of "{namespace}"', rf'(?:module_import\s*\(\s*|wasm_import_module\s*=\s*)"({name})"')


def _places(item: _Item, folders: Sequence[Path]) -> Iterator[tuple[Path, SourceSpan]]:
    """Possible places of an item; those with the attribute `#[marine]` above them come first."""
    pattern = re.compile(item.pattern, re.MULTILINE)
    found = []
    for path in _sources(folders):
        text = path.read_text("utf-8", errors="replace")
        for match in pattern.finditer(text):
            start, end = next(match.span(group) for group in range(1, match.re.groups + 1) if match[group] is not None)
            line = text.count("\n", 0, start) + 1
            first = text.rfind("\n", 0, start) + 1
            span = SourceSpan(line=line, column=start - first + 1, end_column=end - first + 1)
            marked = _ATTRIBUTE.search(text, max(0, start - _NEARBY), start) is not None
            found.append((not marked, path, span))
    yield from ((path, span) for _, path, span in sorted(found, key=lambda place: place[0]))


def _sources(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((folder / "src").rglob("*.rs")):
            if path.is_file() and path.stat().st_size <= _MAX_SOURCE:
                yield path


def _shown(path: Path) -> str:
    """The path from the current directory, where it is below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)

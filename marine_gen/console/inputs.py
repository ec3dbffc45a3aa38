"""Inputs that the user names on the command line: Wasm files, texts, services, built directories, JSON.

Reading stops at bytes and text; later stages find their meaning. Every failure is a MarineError that names the file.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from marine_gen.generate import Description
    from marine_gen.interfaces import Interfaces
    from marine_runtime import Service

_WASM_MAGIC = b"\0asm"


class InputKind(Enum):
    """The forms in which modules come."""

    TEXT = "adapter text"
    DESCRIPTION = "interface description"
    WASM = "Wasm module"
    CONFIG = "service configuration"
    DIRECTORY = "built directory"


@dataclass(frozen=True, slots=True)
class Input:
    """One module as it was given: an adapter text, an interface description, or the bytes of a Wasm module.

    Attributes:
        name: its import name.
        source: its name in messages.
        described: whether the text is a description, and not the adapters themselves.
    """

    name: str
    source: str
    content: str | bytes
    described: bool = False


def kind_of(path: Path) -> InputKind:
    """The kind of `path`, by its name, or by its first bytes when the name does not tell."""
    return look_at(path)[0]


def look_at(path: Path) -> tuple[InputKind, bytes | None]:
    """The kind of `path`, and its content where that was looked at: a pipe can be read once."""
    if path.is_dir():
        return InputKind.DIRECTORY, None
    by_suffix = {
        ".it": InputKind.TEXT,
        ".idl": InputKind.DESCRIPTION,
        ".wasm": InputKind.WASM,
        **dict.fromkeys((".toml", ".yaml", ".yml", ".json"), InputKind.CONFIG),
    }.get(path.suffix.lower())
    if by_suffix is not None:
        return by_suffix, None
    content = read_bytes(path)
    return InputKind.WASM if content.startswith(_WASM_MAGIC) else InputKind.TEXT, content


def read_inputs(path: Path, seen: tuple[InputKind, bytes | None] | None = None) -> list[Input]:
    """The modules behind `path`, in load order; `seen` is what `look_at` gave for it.

    Raises:
        MarineError: it can't be read.
    """
    from marine_runtime.artifact import check_name

    kind, content = seen or look_at(path)
    if kind in (InputKind.TEXT, InputKind.DESCRIPTION):
        text = read_text(path) if content is None else _decoded(path, content)
        return [Input(check_name(path.stem, "a module"), str(path), text, kind is InputKind.DESCRIPTION)]
    if kind is InputKind.WASM:
        name = check_name(path.stem, "a module")
        return [Input(name, str(path), read_bytes(path) if content is None else content)]
    if kind is InputKind.CONFIG:
        from marine_gen.artifact import read_target

        modules = read_target(path).modules
        return [Input(name, f"{path} ({name})", wasm) for name, wasm in modules.items()]
    from marine_runtime.artifact import read_manifest, read_wasm

    return [
        Input(entry.plan.name, f"{path} ({entry.plan.name})", read_wasm(path, entry))
        for entry in read_manifest(path).modules
    ]


def files_of(target: Path | None) -> list[Path]:
    """The files that a target is read from: itself, the modules of a configuration, everything in a built directory.

    What can't be read has none.
    """
    from marine_runtime import MarineError, MarineWarning, read_config

    found = [] if target is None else [target]
    with suppress(MarineError, OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore", MarineWarning)  # loading warns
        if target is not None and kind_of(target) is InputKind.CONFIG:
            found += read_config(target).modules.values()
        elif target is not None and target.is_dir():
            found += target.iterdir()
    return found


def interfaces_of(item: Input) -> Interfaces:
    """The interfaces of one module.

    Raises:
        DiagnosticError: it is malformed; the findings are under the source's name.
    """
    from marine_gen.binary import extract
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.generate import generate
    from marine_gen.idl import parse_description
    from marine_gen.text import parse

    try:
        if isinstance(item.content, bytes):
            return extract(item.content)
        if item.described:
            return generate(parse_description(item.content, item.source))
        return parse(item.content, item.source)
    except DiagnosticError as error:
        raise error.with_source(item.source) from None


def check_exists(path: Path) -> None:
    """Refuse a path that leads nowhere, before work that needs it.

    Raises:
        LoadError: there is no such file.
    """
    from marine_runtime import LoadError
    from marine_runtime.texts import os_reason

    try:
        path.stat()
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the path
        raise LoadError(f"`{path}` can't be read: {os_reason(error)}") from None


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        LoadError: it can't be read.
    """
    from marine_runtime import LoadError
    from marine_runtime.texts import os_reason

    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the path
        raise LoadError(f"`{path}` can't be read: {os_reason(error)}") from None


def read_text(path: Path) -> str:
    """The content of a UTF-8 file.

    Raises:
        LoadError: it can't be read.
    """
    return _decoded(path, read_bytes(path))


def _decoded(path: Path, content: bytes) -> str:
    from marine_runtime import LoadError

    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise LoadError(f"`{path}` is not UTF-8 text (byte {error.start})") from None


def read_description(path: Path) -> Description:
    """The interface description in a file.

    Raises:
        LoadError: it can't be read, or is an adapter text; DiagnosticError: it is malformed.
    """
    from marine_gen.idl import parse_description
    from marine_runtime import LoadError

    text = read_text(path)
    if looks_like_adapters(text):
        raise LoadError(
            f"`{path}` is an adapter text, not an interface description; `marine-gen set it -i FILE.wasm -w {path}` "
            "embeds it into a module"
        )
    return parse_description(text, str(path))


def read_adapters(path: Path) -> Interfaces:
    """The adapter text in a file.

    Raises:
        LoadError: it can't be read, or is an interface description; DiagnosticError: it is malformed.
    """
    from marine_gen.text import parse
    from marine_runtime import LoadError

    text = read_text(path)
    if path.suffix.lower() == ".idl" and not looks_like_adapters(text):
        raise LoadError(
            f"`{path}` is an interface description, not an adapter text; `marine-gen generate-adapters FILE.wasm "
            f"--interface {path}` makes adapters of it"
        )
    return parse(text, str(path))


def looks_like_adapters(text: str) -> bool:
    """True if the text has a directive of an adapter text, which no description has outside of comments."""
    return re.search(r"^\s*\(@interface\b", text, re.MULTILINE) is not None


def read_arguments(given: str) -> str:
    """The JSON text of a call; `-` means stdin.

    Raises:
        ArgumentError: stdin is not UTF-8.
    """
    if given != "-":
        return given
    from marine_runtime import ArgumentError

    if sys.stdin is None:
        raise ArgumentError("the arguments are to be read from stdin, which is closed")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ArgumentError(f"the arguments on stdin are not UTF-8 (byte {error.start})") from None


def write_file(path: Path, data: bytes) -> None:
    """Replace the file `path` by `data`; it holds either the old or the new content at any moment.

    `-` is stdout.

    Raises:
        LoadError: it can't be written.
    """
    from marine_runtime import LoadError
    from marine_runtime.texts import os_reason

    if str(path) == "-":
        click.echo(data, nl=False)
        return
    try:
        if path.exists() and not path.is_file():  # a pipe or a device has no place to take, and may have no real path
            path.write_bytes(data)
            return
        target = Path(os.path.realpath(path))  # a link stays a link
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        import tempfile

        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(temporary).chmod(mode)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise LoadError(f"`{path}` can't be written: {os_reason(error)}") from None


def check_folder(path: Path) -> None:
    """Refuse a directory that `make_folder` could not create, before work whose results are to go there.

    Raises:
        LoadError: a file is in the way, or the rights are missing.
    """
    from marine_runtime import LoadError

    there = next(folder for folder in (path, *path.absolute().parents) if os.path.exists(folder))
    if not there.is_dir():
        raise LoadError(f"the directory `{path}` can't be created, as `{there}` is a file")
    if there != path and not os.access(there, os.W_OK | os.X_OK):
        raise LoadError(f"the directory `{path}` can't be created, as nothing can be written to `{there}`")


def make_folder(path: Path) -> None:
    """Create a directory and those above it, where they are missing.

    Raises:
        LoadError: it can't be made.
    """
    from marine_runtime import LoadError
    from marine_runtime.texts import os_reason

    try:
        check_folder(path)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadError(f"the directory `{path}` can't be created: {os_reason(error)}") from None


def choose_function(service: Service, wanted: str) -> tuple[str, str]:
    """`MODULE.FUNCTION` as module and function; both may contain dots, so the last one behind a known module counts.

    Raises:
        ArgumentError: there is no such function.
    """
    from marine_runtime import ArgumentError

    position = wanted.rfind(".")
    candidates = []
    while position >= 0:
        candidates.append((wanted[:position], wanted[position + 1 :]))
        position = wanted.rfind(".", 0, position)
    known = [(module, function) for module, function in candidates if module in list(service.modules)]
    for module, function in known:
        if function in list(service.modules[module]) or function in service.interface.modules[module].left_out:
            return module, function
    if known:
        return known[0]  # the call says which functions there are
    if candidates:
        _ = service.modules[candidates[0][0]]  # says which modules there are
    raise ArgumentError(
        f"`{wanted}` is not of the form MODULE.FUNCTION; available: {_listed(service.interface.modules)}"
    )


def _listed(modules: Mapping[str, object]) -> str:
    functions = [
        f"`{name}.{function}`" for name, module in modules.items() for function in getattr(module, "functions", ())
    ]
    return ", ".join(functions) or "nothing to call"


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current

"""What a user may name as a service: a Wasm file, a mapping of modules, a configuration file, a built directory.

Reading a configuration covers what loading needs: modules, their files, and the memory limit, which is kept for the
runtime. The directory form is handled by `load`, which needs no sources.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marine_runtime.artifact import read_manifest, read_wasm
from marine_runtime.errors import ConfigError, LoadError

Target = str | Path | Mapping[str, str | Path | bytes]
"""A `.wasm` file, a service `.toml`, a built directory, or modules by name in load order."""

_TOP_KEYS = ("modules_dir", "module", "total_memory_limit", "service_working_dir", "default", "name")
_MODULE_KEYS = ("name", "file_name", "load_from", "logger_enabled", "logging_mask", "mounted_binaries", "wasi")


@dataclass(frozen=True, slots=True)
class Source:
    """A service as its sources: module bytes by name, in load order.

    Attributes:
        name: what the service is called.
        options: settings to keep in the manifest.
    """

    name: str
    modules: Mapping[str, bytes]
    options: Mapping[str, Any] = field(default_factory=dict)


def read_target(target: Target) -> Source:
    """The sources of a service.

    Raises:
        LoadError: a file can't be read; ConfigError: the configuration is wrong.
    """
    if isinstance(target, Mapping):
        if not target:
            raise ConfigError("a service needs at least one module")
        modules = {name: item if isinstance(item, bytes) else _read(Path(item)) for name, item in target.items()}
        return Source("+".join(modules), modules)
    path = Path(target)
    if path.suffix == ".toml":
        return read_config(path)
    return Source(path.stem, {path.stem: _read(path)})


def read_built(directory: Path) -> Source:
    """The sources that a built directory was made of.

    Raises:
        LoadError: it is not a built directory, or its Wasm files changed.
    """
    manifest = read_manifest(directory)
    modules = {entry.plan.name: read_wasm(directory, entry) for entry in manifest.modules}
    return Source(manifest.name, modules, manifest.options)


def read_wasm_files(paths: Sequence[Path]) -> Source:
    """A service of several Wasm files in load order, each named by its stem."""
    return read_target({path.stem: path for path in paths} if len(paths) > 1 else paths[0])


def read_config(path: Path) -> Source:
    """A service configuration (spec marine-runtime §5.1); relative paths start at its directory.

    Raises:
        ConfigError: not TOML, a key is missing, unknown or of the wrong type.
        LoadError: a module file can't be read.
    """
    try:
        document = tomllib.loads(_read(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"`{path}` is not valid TOML: {error}") from None
    where = f"`{path}`"
    _known(document, _TOP_KEYS, where)
    base = path.parent
    modules_dir = _text(document, "modules_dir", where)
    entries = document.get("module")
    if not isinstance(entries, list) or not entries or not all(isinstance(item, dict) for item in entries):
        raise ConfigError(f"{where} needs at least one [[module]] table")
    modules: dict[str, bytes] = {}
    for position, entry in enumerate(entries):
        place = f"{where}, module #{position}"
        _known(entry, _MODULE_KEYS, place)
        name = _text(entry, "name", place)
        if name is None:
            raise ConfigError(f"{place} has no `name`")
        if name in modules:
            raise ConfigError(f"{where} lists module `{name}` twice")
        modules[name] = _read(_module_file(base, modules_dir, name, entry, place))
    options = {"total_memory_limit": document["total_memory_limit"]} if "total_memory_limit" in document else {}
    return Source(_text(document, "name", where) or _service_name(path), modules, options)


def _service_name(path: Path) -> str:
    """`curl_service/Config.toml` is the service `curl_service`; another file name speaks for itself."""
    return path.resolve().parent.name if path.stem.lower() == "config" else path.stem


def _module_file(base: Path, modules_dir: str | None, name: str, entry: Mapping[str, Any], place: str) -> Path:
    file_name = _text(entry, "file_name", place) or f"{name}.wasm"
    load_from = _text(entry, "load_from", place)
    if load_from is not None:
        candidate = base / load_from
        return candidate if candidate.is_file() else candidate / file_name
    if modules_dir is None:
        raise ConfigError(f'{place}: "modules_dir" is not defined but required for module `{name}`')
    return base / modules_dir / file_name


def _text(table: Mapping[str, Any], key: str, where: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{where}: `{key}` must be a string, not {type(value).__name__}")
    return value


def _known(table: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in table:
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            raise ConfigError(f"{where}: unknown key `{key}`{hint} (valid keys: {', '.join(sorted(keys))})")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LoadError(f"`{path}` can't be read: {error.strerror}") from None

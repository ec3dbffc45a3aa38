"""Configuration files: from TOML to typed settings and the places of module files (docs/spec/configuration.md).

Relative paths start at the directory of the file, and `[default]` is what all modules start from. Unknown keys are
errors, because most of them are typing errors; keys that older versions of Marine had are named in one `MarineWarning`,
and a service without a memory limit in another. All mistakes of a file are in one error, as far as one does not follow
from another. Module files are located here and read elsewhere; nothing is created.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from marine_runtime.config import keys
from marine_runtime.config.checks import check_path, refuse_other_formats
from marine_runtime.config.keys import refuse_key
from marine_runtime.config.model import (
    ModuleConfig,
    ServiceConfig,
    check_directories,
    check_envs,
    check_flag,
    check_mask,
    check_paths,
    check_text,
    kind_of,
)
from marine_runtime.config.sizes import UNLIMITED, parse_size
from marine_runtime.errors import ConfigError, LoadError, warn
from marine_runtime.lazy.data import dataclass, field, replace
from marine_runtime.lazy.typing import Any, TypeVar

_PLAIN: Mapping[str, Callable[[Any, str], object]] = {"logger_enabled": check_flag, "logging_mask": check_mask}
_WASI: Mapping[str, Callable[[Any, str], object]] = {"envs": check_envs, "mapped_dirs": check_directories}
_TABLES = ("mounted_binaries", "envs", "mapped_dirs")
_LIMIT = "total_memory_limit"
_BARE = re.compile(r"[A-Za-z0-9_-]+")

_MOST = 20
"""Mistakes that are told; looking for what an unknown key may mean takes time."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The content of a configuration file.

    Attributes:
        name: the name of the service.
        config: its settings; paths in it are absolute.
        modules: the file of each module by name, in load order.
    """

    name: str
    config: ServiceConfig
    modules: Mapping[str, Path]


def read_config(
    path: str | Path, *, working_dir: str | Path | None = None, strict: bool = False, limited: bool = False
) -> ConfigFile:
    """Read the configuration file of a service.

    Args:
        path: the file.
        working_dir: the base of relative `mapped_dirs`, instead of that in the file.
        strict: treat warnings as errors: keys that have no effect, a service without a memory limit.
        limited: the memory limit is set elsewhere, so the file needs none.

    Raises:
        LoadError: the file can't be read.
        ConfigError: it is not TOML, a key is missing, unknown or has a wrong value, or a path leads nowhere: all
            mistakes in one error.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigError(f"a configuration file must be given as a path, not {kind_of(path)}")
    path = check_path(path, "a configuration file")
    refuse_other_formats(path)
    try:
        content = path.read_bytes()
        if content.startswith(b"\0asm"):
            raise ConfigError(
                f"`{path}` is a WebAssembly binary, not a service configuration; `load` takes `.wasm` files"
            )
        text = content.decode("utf-8-sig")
        place = path.resolve()
    except UnicodeDecodeError as error:
        raise ConfigError(f"`{path}` is not valid TOML: it is not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the path, a loop of links
        raise LoadError(f"`{path}` can't be read: {_reason(error)}") from None
    # `curl_service/Config.toml` is the service `curl_service`; another file name speaks for itself.
    name = place.parent.name if path.stem.lower() == "config" else path.stem
    source = f"`{path}`"
    return parse_config(
        text, place.parent, source=source, name=name, working_dir=working_dir, strict=strict, limited=limited
    )


def parse_config(
    text: str,
    base: str | Path = "",
    *,
    source: str = "the configuration",
    name: str = "service",
    working_dir: str | Path | None = None,
    strict: bool = False,
    limited: bool = False,
) -> ConfigFile:
    """Read the text of a configuration.

    Args:
        text: TOML.
        base: the directory that relative paths start at; the current one by default.
        source: its name in messages.
        name: the service's name where the text gives none.
        working_dir: the base of relative `mapped_dirs`, instead of that in the text.
        strict: as for `read_config`.
        limited: as for `read_config`.

    Raises:
        ConfigError: as for `read_config`.
    """
    import tomllib  # not needed to run what was built

    check_text(source, "`source`")
    check_text(name, "`name`")
    check_flag(strict, "`strict`")
    check_flag(limited, "`limited`")
    for what, place in (("`base`", base), ("`working_dir`", working_dir)):
        if place is not None and not isinstance(place, (str, os.PathLike)):
            raise ConfigError(f"{what} must be a path, not {kind_of(place)}")
    if working_dir is not None and os.path.exists(working_dir) and not os.path.isdir(working_dir):
        raise ConfigError(f"`working_dir` is `{working_dir}`, which is not a directory")
    if not isinstance(text, str):
        raise ConfigError(f"{source} must be a string, not {kind_of(text)}")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or an integer of thousands of digits
        raise ConfigError(f"{source} is not valid TOML: {error}") from None
    reader = _Reader(Path(base).absolute(), document, _Place(source))
    found = reader.read(name, working_dir)
    sentences = reader.warnings(limited=limited)
    if strict and sentences:
        raise ConfigError(*sentences)
    for sentence in sentences:
        warn(sentence)
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a value in the file; as text, the beginning of messages about it."""

    source: str
    path: str = ""
    module: str = ""

    def key(self, name: str) -> _Place:
        """The place of a member of a table."""
        part = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        return replace(self, path=f"{self.path}.{part}" if self.path else part)

    @property
    def owner(self) -> str:
        """The file and the module."""
        return f"{self.source}, module `{self.module}`" if self.module else self.source

    def __str__(self) -> str:
        return f"{self.owner}: `{self.path}`" if self.path else self.owner


class _WrongError(Exception):
    """Ends the reading of a document with findings."""


@dataclass(slots=True)
class _Reader:
    """Reads one document; messages name the place of what is wrong."""

    base: Path
    document: Mapping[str, Any]
    place: _Place
    obsolete: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def read(self, name: str, working_dir: str | Path | None) -> ConfigFile:
        """The whole document; `name` is the service's unless it has one itself, `working_dir` overrides its own."""
        try:
            return self._read(name, working_dir)
        except _WrongError:
            raise ConfigError(*self.findings) from None

    def warnings(self, *, limited: bool) -> list[str]:
        """Warnings about settings of a document without effect, and about missing ones."""
        found = []
        if self.obsolete:
            found.append(f"{self.place}: keys of older versions have no effect: {', '.join(self.obsolete)}")
        if _LIMIT not in self.document and not limited:
            found.append(
                f"{self.place}: without `{_LIMIT}` the service may use any amount of memory; "
                f'write for example `{_LIMIT} = "64 MiB"`, or "Infinity"'
            )
        return found

    def _read(self, name: str, working_dir: str | Path | None) -> ConfigFile:
        """The content of the document.

        Raises:
            _WrongError: something is wrong with it; the findings say what.
        """
        top, place = self.document, self.place
        self._check_keys(top, keys.TOP, place)
        limit = self._try(self._limit)
        own_name = self._try(self._text, top, "name", place)
        own_dir = self._try(self._working_dir, top, place)
        state = self.base / (own_dir or "") if working_dir is None else Path(working_dir).absolute()
        modules_dir = self._try(self._existing, top, "modules_dir", place)
        if modules_dir is None and "modules_dir" in top:
            modules_dir = str(self.base)  # a wrong directory is one mistake, not one of every module
        at = place.key("default")
        table = self._try(_table, top.get("default", {}), at) or {}
        self._check_keys(table, keys.SETTINGS, at)
        default = self._settings(table, at)
        files: dict[str, Path] = {}
        settings: dict[str, dict[str, Any]] = {}
        for position, entry in (self._try(self._entries) or {}).items():
            at = replace(place, path=f"module[{position}]")
            self._check_keys(entry, keys.MODULE, at)
            module = self._try(self._module_name, entry, files, at)
            if module is None:
                self._settings(entry, at)
                continue
            at = replace(at, module=module)
            files[module] = self._try(self._module_file, module, entry, modules_dir, at) or self.base
            settings[module] = self._settings(entry, at)
        if self.findings:
            raise _WrongError
        modules = {module: _overlay(default, own, state) for module, own in settings.items()}
        return ConfigFile(own_name or name, ServiceConfig(limit, modules), files)

    def _try(self, step: Callable[..., _T], *args: Any) -> _T | None:
        """The result of `step` for `args`; None after a mistake, which is kept while reading continues."""
        try:
            return step(*args)
        except ConfigError as error:
            self.findings += error.findings
        if len(self.findings) >= _MOST:
            raise _WrongError
        return None

    def _limit(self) -> int | None:
        """The memory limit; files from before December 2023 have none, which means unlimited."""
        return parse_size(self.document.get(_LIMIT, UNLIMITED[0]), str(self.place.key(_LIMIT)))

    def _working_dir(self, table: Mapping[str, Any], place: _Place) -> str | None:
        path = self._text(table, "service_working_dir", place)
        if path is not None and (whole := self.base / path).exists() and not whole.is_dir():
            raise ConfigError(f"{place.key('service_working_dir')} is `{whole}`, which is not a directory")
        return path

    def _entries(self) -> dict[int, Mapping[str, Any]]:
        """The modules that are tables, by position."""
        entries = self.document.get("module", [])
        if isinstance(entries, dict):
            raise ConfigError(f"{self.place}: modules are an array of tables; write [[module]], not [module]")
        if not isinstance(entries, list):
            raise ConfigError(f"{self.place.key('module')} must be an array of tables, not {kind_of(entries)}")
        if not entries:
            raise ConfigError(f"{self.place} should contain at least one module: it needs a [[module]] table")
        places = [replace(self.place, path=f"module[{index}]") for index in range(len(entries))]
        tables = [self._try(_table, *item) for item in zip(entries, places, strict=True)]
        return {index: table for index, table in enumerate(tables) if table is not None}

    def _module_name(self, entry: Mapping[str, Any], taken: Mapping[str, Any], place: _Place) -> str:
        name = self._text(entry, "name", place)
        if name is None:
            raise ConfigError(f"{place} has no `name`")
        if name in taken:
            raise ConfigError(f"{place}: a module named `{name}` is already listed")
        return name

    def _settings(self, table: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        """The settings that a table gives, as arguments of ModuleConfig; those that are wrong are None."""
        found: dict[str, Any] = {}
        for key, check in _PLAIN.items():
            if key in table:
                found[key] = self._try(check, table[key], str(place.key(key)))
        if "mounted_binaries" in table:
            at = place.key("mounted_binaries")
            binaries = self._try(check_paths, table["mounted_binaries"], str(at)) or {}
            hint = "; programs are not looked up on PATH, give a path"
            found["mounted_binaries"] = {name: self._try(self._existing, binaries, name, at, hint) for name in binaries}
        at = place.key("wasi")
        wasi = self._try(_table, table.get("wasi", {}), at) or {}
        self._check_keys(wasi, keys.WASI, at)
        for key, check in _WASI.items():
            if key in wasi:
                found[key] = self._try(check, wasi[key], str(at.key(key)))
        return found

    def _module_file(self, name: str, entry: Mapping[str, Any], modules_dir: str | None, place: _Place) -> Path:
        file_name = self._text(entry, "file_name", place) or f"{name}.wasm"
        load_from = self._existing(entry, "load_from", place)
        if load_from is not None and os.path.isfile(load_from):
            return Path(load_from)
        directory = load_from or modules_dir
        if directory is None:
            raise ConfigError(
                f'{place}: "modules_dir" is not defined but required for module `{name}`; write for example '
                '`modules_dir = "."`, the directory of this file'
            )
        return Path(directory, file_name)

    def _existing(self, table: Mapping[str, Any], key: str, place: _Place, hint: str = "") -> str | None:
        """A path: an absolute one as it is, a relative one from the base, without links; that one has to exist."""
        value = self._text(table, key, place)
        if value is None or os.path.isabs(value):
            return value
        path = self.base / value
        try:
            return str(path.resolve(strict=True))
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"{place.key(key)}: the path `{path}` can't be used: {_reason(error)}{hint}") from None

    def _text(self, table: Mapping[str, Any], key: str, place: _Place) -> str | None:
        return check_text(table[key], str(place.key(key))) if key in table else None

    def _check_keys(self, table: Mapping[str, Any], known: Sequence[str], place: _Place) -> None:
        old = [key for key in table if key in keys.OBSOLETE and key not in known]
        paths = [f"`{place.key(key).path}`" for key in old]
        self.obsolete += [path for path in paths if path not in self.obsolete]
        for key in table:
            if key not in old and key not in known:
                self._try(_refuse_key, key, known, place)


def _overlay(default: Mapping[str, Any], own: Mapping[str, Any], working_dir: Path) -> ModuleConfig:
    """The settings of a module over the default ones; tables are joined entry by entry."""
    joined: dict[str, Any] = {**default, **own}
    for name in _TABLES:
        joined[name] = {**default.get(name, {}), **own.get(name, {})}
    joined["mapped_dirs"] = {alias: str(working_dir / path) for alias, path in joined["mapped_dirs"].items()}
    return ModuleConfig(**joined)


def _table(value: Any, place: _Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{place} must be a table, not {kind_of(value)}")
    return value


def _refuse_key(key: str, known: Sequence[str], place: _Place) -> None:
    refuse_key(key, known, place.owner, place.path and f"{place.path}.", place.key(key).path)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

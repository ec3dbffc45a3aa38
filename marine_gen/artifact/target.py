"""The targets that users name: a Wasm file, a mapping of modules, a configuration file, a built directory.

Configuration files are read by `marine_runtime.config.toml`; this adds the modules' bytes. The directory form is
handled by `load`, which needs no sources.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from marine_runtime import ArgumentError, ConfigError, LoadError
from marine_runtime.artifact import check_name, check_path, read_manifest, read_wasm
from marine_runtime.texts import os_reason

if TYPE_CHECKING:
    from marine_runtime import PythonModule

Target: TypeAlias = "str | Path | Mapping[str, str | Path | bytes | PythonModule]"
"""A `.wasm` file, a service `.toml`, a built directory, or modules by name in load order."""


CONFIG_SUFFIXES = (".toml", ".yaml", ".yml", ".json")
"""Names of files that describe services; all but the first are refused, with what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A service as its sources: module bytes by name, in load order.

    Attributes:
        name: the name of the service.
        options: settings to keep in the manifest, the JSON form of a ServiceConfig.
        python: modules that are written in Python.
        order: names of all modules in load order, when some are.
    """

    name: str
    modules: Mapping[str, bytes]
    options: Mapping[str, Any] = field(default_factory=dict)
    python: Mapping[str, PythonModule] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each module."""
        return {name: len(wasm) for name, wasm in self.modules.items()}

    def __post_init__(self) -> None:
        """Refuse names that nothing can be written under.

        Raises:
            ArgumentError: a name can't be encoded as UTF-8.
        """
        for name in self.modules:
            check_name(name, "a module")
        check_name(self.name, "a service")


def read_target(
    target: Target, *, working_dir: Path | None = None, strict: bool = False, limited: bool = False
) -> Source:
    """The sources of a service.

    Args:
        target: the target, as for `load`.
        working_dir: used instead of the `service_working_dir` of a configuration.
        strict: refuse configurations that are otherwise warned of.
        limited: the memory limit is set elsewhere, so a configuration needs none.

    Raises:
        LoadError: a file can't be read; ConfigError: the configuration is wrong.
    """
    if isinstance(target, Mapping):
        return _read_mapping(target)
    if not isinstance(target, (str, os.PathLike)):
        raise ArgumentError(f"a service must be a path, or modules by name, not {type(target).__name__}")
    path = check_path(target, "the path of a service")
    if path.suffix.lower() in CONFIG_SUFFIXES:
        return _read_config(path, working_dir, strict=strict, limited=limited)
    return Source(path.stem, {path.stem: _read(path)})


def _read_mapping(target: Mapping[str, str | Path | bytes | PythonModule]) -> Source:
    modules: dict[str, bytes] = {}
    python: dict[str, PythonModule] = {}
    for name, item in target.items():
        if not isinstance(name, str):
            raise ArgumentError(f"the name of a module must be a string, not {name!r:.80}")
        if isinstance(item, (str, os.PathLike, bytes)):
            modules[name] = item if isinstance(item, bytes) else _read(Path(item))
            continue
        from marine_runtime import PythonModule

        if not isinstance(item, PythonModule):
            raise ArgumentError(f"module `{name}` must be a path, bytes or a PythonModule, not {type(item).__name__}")
        if item.name != name:
            raise ConfigError(f"the Python module `{item.name}` is listed as `{name}`: it needs one name")
        python[name] = item
    if not modules:
        raise ConfigError(f"a service needs at least one {'Wasm ' if python else ''}module")
    return Source("+".join(target), modules, python=python, order=tuple(target) if python else ())


def with_python(source: Source, modules: Sequence[PythonModule], order: Sequence[str]) -> Source:
    """`source` with more Python modules; they come first, unless `order` says where.

    Raises:
        ConfigError: a name is taken; ArgumentError: something is not a Python module.
    """
    if not modules and not order:
        return source
    from marine_runtime.host import check_python_modules

    check_python_modules(modules)
    python = dict(source.python)
    for module in modules:
        if module.name in python or module.name in source.modules:
            raise ConfigError(f"the Python module `{module.name}` is listed twice, or is named like another module")
        python[module.name] = module
    return replace(source, python=python, order=tuple(order) or source.order)


def read_built(directory: Path) -> Source:
    """The sources that a built directory was made of.

    Raises:
        LoadError: it is not a built directory, or its Wasm files changed.
    """
    manifest = read_manifest(directory)
    modules = {entry.plan.name: read_wasm(directory, entry) for entry in manifest.modules}
    return Source(manifest.name, modules, manifest.options)


def refuse_overwriting(output: Path | None, inputs: Iterable[Path | None]) -> None:
    """Refuse an output in the place of an input, before anything is written; None and `-` are not files.

    Raises:
        ArgumentError: an input would be lost.
    """
    if output is None or str(output) == "-":
        return
    place = os.path.realpath(output)
    for path in inputs:
        if path is not None and os.path.realpath(path) == place:
            raise ArgumentError(f"`{path}` would be overwritten: choose another file for the output")


def read_wasm_files(paths: Sequence[Path]) -> Source:
    """A service of several Wasm files in load order, each named by its stem."""
    return read_target({path.stem: path for path in paths} if len(paths) > 1 else paths[0])


def _read_config(path: Path, working_dir: Path | None, *, strict: bool, limited: bool) -> Source:
    """The sources that a configuration file names, with its settings as options."""
    from marine_runtime import read_config

    found = read_config(path, working_dir=working_dir, strict=strict, limited=limited)
    modules: dict[str, bytes] = {}
    for name, place in found.modules.items():
        try:
            if place.exists() and not place.is_file():  # reading a device may never end
                raise LoadError(f"`{place}` is not a file")
            modules[name] = _read(place)
        except OSError as error:
            raise LoadError(f"`{path}`, module `{name}`: `{place}` can't be read: {os_reason(error)}") from None
        except LoadError as error:
            raise LoadError(f"`{path}`, module `{name}`: {error}") from None
    return Source(found.name, modules, found.config.to_json())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the path
        raise LoadError(f"`{path}` can't be read: {os_reason(error)}") from None

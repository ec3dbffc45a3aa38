"""The table `[tool.hatch.build.hooks.marine-gen]`, checked.

Hatchling takes some keys of every hook for itself. Any other unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from marine_gen.artifact import BUILT_ENGINES
from marine_runtime import ConfigError
from marine_runtime.texts import quoted, suggestion

HATCHLING_KEYS = ("dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features")
KEYS = ("native", "services", "strict")
SERVICE_KEYS = ("config", "engine", "package")

_PART = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*")


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """One service of the project.

    Attributes:
        config: a service configuration, or a Wasm file, relative to the project.
        package: the directory to build, relative to the project; its name is that of the Python package.
        engine: the engine to build for.
    """

    config: str
    package: PurePosixPath
    engine: str = BUILT_ENGINES[0]


@dataclass(frozen=True, slots=True)
class HookOptions:
    """The whole table.

    Attributes:
        services: the services to build, in order.
        native: whether wheels hold machine code, and are for one platform.
        strict: whether modules with invalid adapters are refused.
    """

    services: tuple[ServiceOptions, ...]
    native: bool = False
    strict: bool = False


def read_options(table: Mapping[str, Any]) -> HookOptions:
    """Check the hook's table.

    Raises:
        ConfigError: a key is unknown or missing, or a value is not as it has to be; says which.
    """
    _known(table, (*KEYS, *HATCHLING_KEYS), "the table", KEYS)
    flags = {key: table.get(key, False) for key in ("native", "strict")}
    for key, value in flags.items():
        if not isinstance(value, bool):
            raise ConfigError(f"`{key}` must be true or false, not {value!r}")
    services = table.get("services")
    if not isinstance(services, list) or not services:
        raise ConfigError("`services` must be an array of at least one table, such as { config = …, package = … }")
    read = tuple(_service(number, item) for number, item in enumerate(services, start=1))
    packages = [item.package for item in read]
    for number, one in enumerate(packages):
        for other in packages[:number]:
            if one.is_relative_to(other) or other.is_relative_to(one):
                raise ConfigError(f"the package directories {quoted(str(other))} and {quoted(str(one))} overlap")
    return HookOptions(read, **flags)


def _service(number: int, table: Any) -> ServiceOptions:
    where = f"service {number}"
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a table, not {table!r}")
    _known(table, SERVICE_KEYS, where)
    texts: dict[str, str] = {}
    for key in ("config", "package"):
        if key not in table:
            raise ConfigError(f"{where} has no `{key}`")
    for key, value in table.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{where}: `{key}` must be a non-empty string, not {value!r}")
        texts[key] = value
    engine = texts.get("engine", BUILT_ENGINES[0])
    if engine not in BUILT_ENGINES:
        raise ConfigError(
            f"{where}: {quoted(engine)} is not an engine{suggestion(engine, BUILT_ENGINES)}; "
            f"choose {', '.join(BUILT_ENGINES)}"
        )
    return ServiceOptions(texts["config"], _package(where, texts["package"]), engine)


def _package(where: str, text: str) -> PurePosixPath:
    path = PurePosixPath(text)
    if path.is_absolute() or not path.parts or not all(_PART.fullmatch(part) for part in path.parts):
        raise ConfigError(
            f"{where}: `package` must be a directory of the project, such as `src/app/api`, not {quoted(text)}"
        )
    if not path.name.isidentifier() or keyword.iskeyword(path.name):
        raise ConfigError(f"{where}: `package` ends with {quoted(path.name)}, which can't be imported")
    return path


def _known(table: Mapping[str, Any], known: Iterable[str], where: str, listed: Iterable[str] | None = None) -> None:
    for key in table:
        if key not in known:
            choices = ", ".join(f"`{choice}`" for choice in listed or known)
            raise ConfigError(
                f"{where} has an unknown key {quoted(str(key))}{suggestion(key, known)}; available: {choices}"
            )

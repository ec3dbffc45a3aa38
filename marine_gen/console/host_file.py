"""Host functions from a Python file of the user (`--host-file`). The file is run: it is code that the user names."""

from __future__ import annotations

import dataclasses
import runpy
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marine_runtime import HostFunction

HOST = "host"
MAPPING = "host_functions"


def read_host_functions(path: Path | None) -> dict[str | tuple[str, str], HostFunction]:
    """The `ServiceHost` named `host` that the file defines, or its mapping `host_functions`.

    Raises:
        LoadError: the file can't be run; ConfigError: it defines neither, both, or something that is not a function.
    """
    if path is None:
        return {}
    from marine_runtime import ArgumentError, ConfigError, LoadError, ServiceHost
    from marine_runtime.host import host_functions
    from marine_runtime.texts import os_reason

    if path.is_dir():  # runpy would look for a program in it
        raise LoadError(f"`{path}` can't be read: it is a directory")
    try:
        namespace = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        line = _line(error, path)
        if isinstance(error, OSError) and not line:
            raise LoadError(f"`{path}` can't be read: {os_reason(error)}") from None
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        # Not `from error`: a module that the file misses says nothing about this program's own installation.
        raise LoadError.report(f"`{path}`{line} failed with {text}") from None
    host, functions = namespace.get(HOST), namespace.get(MAPPING)
    if isinstance(host, ServiceHost):  # another thing may have that name
        if functions is not None and functions is not host:
            raise ConfigError(f"`{path}` defines both `{HOST}` and `{MAPPING}`; one of them is enough")
        functions = host
    if not isinstance(functions, (Mapping, ServiceHost)):
        raise ConfigError(
            f"`{path}` defines no ServiceHost `{HOST}`, nor a mapping `{MAPPING}` of names to host functions"
        )
    try:
        checked = host_functions(functions)
    except ArgumentError as error:
        raise ConfigError(f"`{path}`: {error}") from None
    return {key: dataclasses.replace(item, function=_explained(item.function, key)) for key, item in checked.items()}


def _line(error: BaseException, path: Path) -> str:
    """The place in the file at which it was raised, as far as a traceback knows."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}," if lines else ""


def _explained(function: Callable[..., Any], key: str | tuple[str, str]) -> Callable[..., Any]:
    """`function`, whose own exceptions become failures of the call."""
    from marine_runtime import CallError, MarineError

    name = key if isinstance(key, str) else ".".join(key)

    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except MarineError:
            raise
        except Exception as error:
            raise CallError(f"host function `{name}` raised {type(error).__name__}: {error}") from error

    return call

"""Host functions from a Python file of the user (`--host-file`). The file is run: it is code that the user names."""

from __future__ import annotations

import dataclasses
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marine_runtime.linker import HostFunctions

ATTRIBUTE = "host_functions"


def read_host_functions(path: Path | None) -> HostFunctions:
    """The mapping `host_functions` that the file defines.

    Raises:
        LoadError: the file can't be run; ConfigError: it defines no such mapping.
    """
    from marine_runtime.errors import ConfigError, LoadError
    from marine_runtime.host import HostFunction

    if path is None:
        return {}
    try:
        namespace = runpy.run_path(str(path))
    except OSError as error:
        raise LoadError(f"`{path}` can't be read: {error.strerror or error}") from None
    except Exception as error:
        raise LoadError(f"`{path}` failed with {type(error).__name__}: {error}") from error
    functions = namespace.get(ATTRIBUTE)
    if not isinstance(functions, Mapping):
        raise ConfigError(f"`{path}` defines no mapping `{ATTRIBUTE}` of names to host functions")
    for key, value in functions.items():
        if not isinstance(value, HostFunction):
            raise ConfigError(f"`{path}`: `{ATTRIBUTE}[{key!r}]` is not a marine_runtime.HostFunction")
    return {
        key: dataclasses.replace(value, function=_explained(value.function, key)) for key, value in functions.items()
    }


def _explained(function: Callable[..., Any], key: object) -> Callable[..., Any]:
    """`function`, whose own exceptions become failures of the call."""
    from marine_runtime.errors import CallError, MarineError

    name = key if isinstance(key, str) else ".".join(map(str, key)) if isinstance(key, tuple) else str(key)

    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except MarineError:
            raise
        except Exception as error:
            raise CallError(f"host function `{name}` raised {type(error).__name__}: {error}") from error

    return call

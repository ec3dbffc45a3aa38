"""Support of generated packages: the bases of their classes, and how they open their own directory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from marine_runtime.abi.plan import FORMAT
from marine_runtime.artifact.load import load
from marine_runtime.artifact.manifest import other_format
from marine_runtime.errors import LoadError
from marine_runtime.service.handles import Declared, DeclaredModule, ModuleHandle, Modules
from marine_runtime.service.service import Service

__all__ = [
    "Declared",
    "DeclaredModule",
    "ModuleHandle",
    "Modules",
    "Service",
    "load",
    "loader",
    "opener",
    "require_format",
]

P = ParamSpec("P")
S = TypeVar("S", bound=Service)
T = TypeVar("T")


def require_format(built: int, file: str) -> None:
    """Refuse a generated package of another format, before anything else of it runs.

    Raises:
        LoadError: the package whose `__init__` is `file` was `built` in another format.
    """
    if built != FORMAT:
        raise LoadError(other_format(Path(file).parent, built))


def loader(
    load: Callable[Concatenate[str | Path, type[Service], P], Service], service: type[S], file: str
) -> Callable[P, S]:
    """A function that loads the built directory in which `file` lies as a `service`; options are those of `load`."""

    def load_package(*args: P.args, **kwargs: P.kwargs) -> S:
        loaded = load(_directory(file), service, *args, **kwargs)
        assert isinstance(loaded, service)
        return loaded

    _describe(load_package, load, 2, service, "Load the service of this package; see `marine_runtime.load`.")
    return load_package


def opener(
    like: Callable[Concatenate[str | Path | Callable[..., Service], P], object], pool: Callable[..., T], file: str
) -> Callable[P, T]:
    """A function that makes a `pool` of the built directory in which `file` lies; options are those of `like`."""

    def open_pool(*args: P.args, **kwargs: P.kwargs) -> T:
        return pool(_directory(file), *args, **kwargs)

    _describe(
        open_pool, like, 1, pool, "Open a pool of the service's instances; see `marine_runtime.pool.ServicePool`."
    )
    return open_pool


def _directory(file: str) -> Path:
    directory = Path(file).parent
    if not directory.is_dir():
        raise LoadError(
            f"`{directory}` is not a directory: a built service can't be loaded out of a zip file, unpack it"
        )
    return directory


def _describe(function: Callable[..., Any], like: Callable[..., Any], first: int, returns: Any, text: str) -> None:
    """Give `function` a docstring, and the signature of `like` from parameter number `first` on."""
    function.__doc__ = text
    signature = inspect.signature(like)
    parameters = list(signature.parameters.values())[first:]
    function.__signature__ = signature.replace(parameters=parameters, return_annotation=returns)  # type: ignore[attr-defined]

"""The version of the installed wasmtime-py, found without `importlib.metadata`, whose import takes 20 ms."""

from __future__ import annotations

import os
from functools import cache

from marine_runtime.wasm.capi.library import declarations, package_folder

_PREFIX, _SUFFIX = "wasmtime-", ".dist-info"
"""The ends of the name of the folder that installers write beside a package; its version is between them."""


@cache
def wasmtime_version() -> str:
    """The version, such as `50.0.1`; `unknown` for a copy without metadata, as in a frozen program.

    Raises:
        LoadError: wasmtime-py is not there.
    """
    folder = package_folder()
    try:
        beside = os.listdir(os.path.dirname(folder)) if folder else []
    except OSError:  # out of an archive, for example
        beside = []
    found = [
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        for name in beside
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    ]
    if len(found) == 1:
        return found[0]
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("wasmtime")
    except PackageNotFoundError:
        declarations()  # raises where there is none
        return "unknown"

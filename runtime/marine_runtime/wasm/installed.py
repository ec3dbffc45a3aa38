"""The version of the installed wasmtime-py, found without `importlib.metadata`, whose import takes 20 ms."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import wasmtime

_FOLDER = re.compile(r"wasmtime-(.+)\.dist-info")
"""The folder that installers write beside a package, with its version."""


@cache
def wasmtime_version() -> str:
    """The version, such as `50.0.1`."""
    try:
        beside = os.listdir(Path(wasmtime.__file__).parents[1])
    except OSError:  # out of an archive, for example
        beside = []
    found = [match[1] for match in map(_FOLDER.fullmatch, beside) if match is not None]
    if len(found) == 1:
        return found[0]
    from importlib.metadata import version

    return version("wasmtime")

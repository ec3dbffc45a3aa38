"""The import of everything that the runtime would import later, for programs that take away what imports need.

    import marine_runtime.lazy.preload

Most modules are imported at their first use, such as the first JSON or the first wrong argument. That fails with
Python's own ImportError or OSError once a program has changed its root directory, emptied `sys.path`, removed the zip
archive that it runs from, or has no descriptor left. Such a program imports this module before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pkgutil import iter_modules

STANDARD = (
    *("array", "copy", "dataclasses", "difflib", "errno", "gc", "hashlib", "importlib.metadata", "importlib.util"),
    *("inspect", "io", "json", "logging", "numbers", "pathlib", "platform", "reprlib", "shlex", "shutil"),
    *("threading", "tomllib", "unicodedata", "warnings", *(() if sys.platform == "win32" else ("resource",))),
)
"""Modules of the standard library that functions of the runtime import."""

_LEFT_OUT = ("marine_runtime.ray", "marine_runtime.packages", __name__)  # Ray may be absent; old packages are refused


def _import_all(path: Iterable[str], prefix: str) -> None:
    for found in iter_modules(path, prefix):
        if found.name not in _LEFT_OUT:
            __import__(found.name)
            if found.ispkg:
                _import_all(sys.modules[found.name].__path__, f"{found.name}.")


for _name in STANDARD:
    __import__(_name)
_package = __name__.partition(".")[0]
_import_all(sys.modules[_package].__path__, f"{_package}.")

"""Environment variables with something wrong in them."""

from __future__ import annotations

import ast
import os
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from marine_runtime.config import cache_directory
from marine_runtime.wasm.speedups import turned_off
from tests.support.paths import ROOT
from tests.wrong_values.commands import outcome as command

_NOT_OURS = {"LOCALAPPDATA", "PYTHONPATH", "RAYON_NUM_THREADS"}
"""Variables that are read on other systems only, Python's, and what Wasmtime makes of a value of its own."""


def parameters() -> set[str]:
    """Every variable that the compiler or the runtime reads."""
    sources = [*(ROOT / "marine_gen").rglob("*.py"), *(ROOT / "runtime" / "marine_runtime").rglob("*.py")]
    return {name for path in sources for name in _read(path)} - _NOT_OURS


def _read(path: Path) -> Iterator[str]:
    """The names in `os.environ.get(name)` and the like; those that are not written out are values of constants."""
    text = path.read_text("utf-8")
    if "environ" not in text:
        return
    tree = ast.parse(text)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("os.environ.get", "environ.get", "os.getenv"):
            name = call.args[0]
        elif isinstance(call, ast.Subscript) and ast.unparse(call.value) == "os.environ":
            name = call.slice
        else:
            continue
        yield from _values(name, path)


_COMPUTED = {
    "CACHE_VARIABLE": ("MARINE_GEN_CACHE",),
    "LIMIT_VARIABLE": ("MARINE_GEN_CACHE_LIMIT",),
    "_BASE_VARIABLE": ("XDG_CACHE_HOME",),
    "TOKEN": ("MARINE_GEN_TOKEN",),
    "variable": ("CARGO", "RUSTC", "MARINE_GEN_CACHE", "XDG_CACHE_HOME"),
}


_VARIABLES = {
    "history.py": "MARINE_GEN_HISTORY",
    "log_levels.py": "WASM_LOG",
    "speedups.py": "MARINE_SPEEDUPS",
    "tiers.py": "MARINE_GEN_BASELINE",
}


def _values(name: ast.expr, path: Path) -> tuple[str, ...]:
    if isinstance(name, ast.Constant):
        return (str(name.value),)
    word = ast.unparse(name)
    if word == "VARIABLE":
        return (_VARIABLES[path.name],)
    return _COMPUTED[word]  # a KeyError: tell here what the new name stands for


def outcome(line: str) -> str:
    """The answer to a command line with variables in front of it."""
    words = shlex.split(line)
    with pytest.MonkeyPatch.context() as patch:
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            if name == "XDG_CACHE_HOME":
                patch.delenv("MARINE_GEN_CACHE", raising=False)
            patch.setenv(name, value)
        cache_directory._warn.cache_clear()
        if words == ["repl"]:
            from marine_gen.repl.history import open_history

            return open_history()[1] or "accepted"
        if words == ["import"]:  # which reads it once
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                turned_off.__wrapped__()
            return "\n".join(f"warning: {item.message}" for item in caught) or "accepted"
        return command(shlex.join(words)).replace(os.getcwd(), "…")

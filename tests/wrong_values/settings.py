"""Texts of configurations with something wrong in them. What they do not say has a fitting value."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from marine_gen.artifact import load
from marine_runtime import MarineError, MarineWarning
from marine_runtime.config.keys import KEYS

_LIMIT = 'total_memory_limit = "Infinity"\n'
_DIRECTORY = 'modules_dir = "."\n'
_MODULE = '[[module]]\nname = "greeting"\n'


def parameters() -> set[str]:
    """Every key, by its path."""
    return set(KEYS)


def outcome(text: str, folder: Path) -> str:
    """The error and the warnings of loading a configuration; what the text lacks to be one is added."""
    whole = text if "total_memory_limit" in text or "no limit" in text else _LIMIT + text
    if not re.search("^modul.*_dir|^moduls|no directory", text, re.MULTILINE):
        whole = _DIRECTORY + whole
    if not re.search(r"^\[*module\b|no module", text, re.MULTILINE):
        whole = f"{whole}\n{_MODULE}"
    path = folder / "tried.toml"
    path.write_text(whole, encoding="utf-8")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", MarineWarning)
        try:
            load(path).close()
            last = "accepted"
        except MarineError as error:
            last = f"{type(error).__name__}: {error}"
    text = "\n".join([*(f"MarineWarning: {item.message}" for item in told), last])
    return text.replace(f"{folder}/tried.toml", "tried.toml").replace(str(folder), "…")

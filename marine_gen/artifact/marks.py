"""Marks of first loads in the cache: files that hold the sources of a service until its complete build is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marine_gen.artifact.target import Source
from marine_runtime.artifact import FIRST_FOLDER

_LINE = b"\n"


def mark_of(place: Path) -> Path:
    """The file that says that a service was loaded before its build at `place` was there."""
    return place.parent / FIRST_FOLDER / place.name


def pack_source(source: Source, flavour: Mapping[str, Any], owner: str) -> bytes:
    """The content of a mark: a line of JSON, and the modules one behind the other.

    Args:
        source: the service, without modules in Python.
        flavour: the keywords of `build` that say what is to be built.
        owner: the process that loaded it.
    """
    head = {
        "owner": owner,
        "flavour": dict(flavour),
        "name": source.name,
        "options": dict(source.options),
        "modules": list(source.sizes.items()),
    }
    return b"".join([json.dumps(head).encode(), _LINE, *source.modules.values()])


def unpack_source(data: bytes) -> tuple[Source, Mapping[str, Any]]:
    """The service in a mark, and the flavour; raises ValueError, KeyError or TypeError when there is none."""
    line, _, rest = data.partition(_LINE)
    head = json.loads(line)
    modules, at = {}, 0
    for name, size in head["modules"]:
        modules[name] = rest[at : at + size]
        at += size
    return Source(head["name"], modules, head["options"]), head["flavour"]


def owner_of(mark: Path) -> str | None:
    """The process that loaded the service of a mark; None when nobody can build it."""
    try:
        with mark.open("rb") as file:
            owner = json.loads(file.readline())["owner"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner if isinstance(owner, str) else None

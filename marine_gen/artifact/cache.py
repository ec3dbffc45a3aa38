"""The user's cache of builds: its directory, its entries, and loading through it.

An entry is named by the key of its build, so a second `load` of the same service compiles nothing. The cache is read
only when it is the user's own; a damaged entry is built again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from marine_gen.artifact.build import ENGINES, build, build_key
from marine_gen.artifact.target import Source
from marine_runtime.artifact.code_cache import CACHE_VARIABLE, FOLDER, own_directory
from marine_runtime.artifact.manifest import MANIFEST
from marine_runtime.errors import LoadError

_LEFTOVER = re.compile(r"\.[0-9a-f]{64}-")
_CODE = re.compile(r"\.?[0-9a-f]{64}\.cwasm")


class BuiltSource:
    """A directory with the build of `source`: in the cache, or a temporary one that goes away after loading."""

    def __init__(self, source: Source, *, cache: bool, metered: bool) -> None:
        """Take a service; `cache` allows the user's cache, `metered` code uses fuel."""
        self._source = source
        self._metered = metered
        self._cache = cache_directory() if cache else None
        self._temporary: Path | None = None

    def __enter__(self) -> Path:
        """Build, unless the cache has it; the directory with the build."""
        if self._cache is not None:
            place = self._cache / build_key(self._source, ENGINES[0], metered=self._metered)
            if place.is_dir() and not (place / MANIFEST).is_file():
                shutil.rmtree(place, ignore_errors=True)  # a build would not replace what it does not recognise
            try:
                return build(self._source, place, metered=self._metered).directory
            except LoadError as error:
                if type(error) is not LoadError:  # the service is wrong, not the cache
                    raise
        self._temporary = Path(tempfile.mkdtemp(prefix="marine-gen-"))
        return build(self._source, self._temporary / "service", metered=self._metered).directory

    def __exit__(self, *_: object) -> None:
        """Remove what was temporary."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def cache_directory() -> Path | None:
    """The user's cache directory, made when missing; None when it is not the user's own or can't be made."""
    chosen = os.environ.get(CACHE_VARIABLE)
    path = Path(chosen) if chosen else platformdirs.user_cache_path("marine-gen", appauthor=False)
    return own_directory(path)


def cache_entries() -> Sequence[Path]:
    """The builds in the cache."""
    directory = cache_directory()
    if directory is None:
        return []
    return sorted(item for item in directory.iterdir() if (item / MANIFEST).is_file())


def cached_code() -> Sequence[Path]:
    """The files with machine code of portable builds, and leftovers of such files from killed programs."""
    directory = cache_directory()
    return (
        [] if directory is None else sorted(file for file in (directory / FOLDER).glob("*") if _CODE.match(file.name))
    )


def clear_cache() -> int:
    """Remove every build from the cache, and return their number.

    Machine code of portable builds and leftovers of killed builds are removed too.
    """
    entries = cache_entries()
    directory = cache_directory()
    leftovers = [] if directory is None else [item for item in directory.iterdir() if _LEFTOVER.match(item.name)]
    for entry in (*entries, *leftovers):
        shutil.rmtree(entry, ignore_errors=True)
    for file in cached_code():
        file.unlink(missing_ok=True)
    if directory is not None:
        with contextlib.suppress(OSError):  # not there, or with something of somebody else's
            (directory / FOLDER).rmdir()
    return len(entries)

"""Builds in the user's cache, under their keys, so that a second `load` of the same service compiles nothing.

The cache is read only when it is the user's own; a damaged entry is built again.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from marine_gen.artifact.build import build, build_key
from marine_gen.artifact.engines import BUILT_ENGINES
from marine_gen.artifact.target import Source
from marine_runtime import LoadError
from marine_runtime.artifact import CODE_FOLDER, MANIFEST, cache_directory

_LEFTOVER = re.compile(r"\.[0-9a-f]{64}-")
_CODE = re.compile(r"\.?[0-9a-f]{64}\.cwasm")


@contextlib.contextmanager
def built(source: Source, *, cache: bool, metered: bool) -> Iterator[Path]:
    """A directory with the build of `source`: in the cache, or a temporary one that goes away with the block.

    Raises:
        DiagnosticError: the service is wrong.
    """
    found = _cached(source, metered=metered) if cache else None
    if found is not None:
        yield found
        return
    temporary = Path(tempfile.mkdtemp(prefix="marine-gen-"))
    try:
        yield build(source, temporary / "service", metered=metered).directory
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _cached(source: Source, *, metered: bool) -> Path | None:
    """The build in the cache, made when missing; None when the cache can't be used."""
    directory = cache_directory()
    if directory is None:
        return None
    place = directory / build_key(source, BUILT_ENGINES[0], metered=metered)
    if place.is_dir() and not (place / MANIFEST).is_file():
        shutil.rmtree(place, ignore_errors=True)  # a build would not replace what it does not recognise
    try:
        return build(source, place, metered=metered).directory
    except LoadError as error:
        if type(error) is not LoadError:  # the service is wrong, not the cache
            raise
        return None


def cache_entries() -> Sequence[Path]:
    """The builds in the cache."""
    directory = cache_directory()
    if directory is None:
        return []
    return sorted(item for item in directory.iterdir() if (item / MANIFEST).is_file())


def cached_code() -> Sequence[Path]:
    """The files with machine code of portable builds, and leftovers of such files from killed programs."""
    directory = cache_directory()
    if directory is None:
        return []
    return sorted(file for file in (directory / CODE_FOLDER).glob("*") if _CODE.match(file.name))


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
            (directory / CODE_FOLDER).rmdir()
    return len(entries)

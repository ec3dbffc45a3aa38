"""Builds in the user's cache, under their keys, so that a second `load` of the same service compiles nothing.

The cache is read only when it is the user's own; a damaged entry is built again.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from marine_gen.artifact.key import build_key
from marine_gen.artifact.marks import mark_of
from marine_gen.artifact.progress import Steps
from marine_gen.artifact.scratch import scratch_directory
from marine_gen.artifact.target import Source
from marine_runtime import LoadError
from marine_runtime.artifact import (
    CHECKED,
    CODE_FOLDER,
    FIRST_FOLDER,
    LIBRARY_FILES,
    MANIFEST,
    CachedBuild,
    Manifest,
    cache_directory,
    cache_to_use,
    known_manifest,
    note_use,
    read_pack,
    trim,
    write_pack,
    write_replacing,
)

_LEFTOVER = re.compile(r"\.[0-9a-f]{64}-")
_CODE = re.compile(r"\.?[0-9a-f]{64}\.cwasm")


@dataclass(frozen=True, slots=True)
class Built:
    """A directory with a build, and its manifest.

    Attributes:
        baseline: its machine code is that of the baseline compiler.
        lasting: it is there for longer than a load.
        pack: the content of its files, as far as it was read.
    """

    directory: Path
    manifest: Manifest
    baseline: bool = False
    lasting: bool = True
    pack: CachedBuild | None = None


@dataclass(frozen=True, slots=True)
class Flavour:
    """The kind of a build in the cache.

    Attributes:
        engine: the engine that it is for.
        metered: its machine code uses fuel.
        complete: it has what other engines need too.
        baseline: its machine code is that of the baseline compiler.
    """

    engine: str
    metered: bool = False
    complete: bool = False
    baseline: bool = False


def place_of(source: Source, flavour: Flavour) -> Path | None:
    """The place of a build in the cache; None when the cache can't be used."""
    directory = cache_to_use()
    return None if directory is None else directory / build_key(source, **asdict(flavour))


@contextlib.contextmanager
def built(source: Source, flavour: Flavour, steps: Steps, place: Path | None, *, strict: bool) -> Iterator[Built]:
    """A new build of `source`: at `place` in the cache, or in a temporary directory that goes away with the block.

    `steps` gets what has to be compiled.

    Raises:
        DiagnosticError: the service is wrong; LoadError: there is no place for it.
    """
    made = None if place is None else _cached(source, flavour, steps, place, strict=strict)
    if made is not None:
        yield made
        return
    from marine_gen.artifact.builder import build  # a load out of the cache imports no compiler

    with scratch_directory() as temporary:
        result = build(source, temporary / "service", strict=strict, steps=steps, **asdict(flavour))
        yield Built(result.directory, result.manifest, lasting=False)


def _cached(source: Source, flavour: Flavour, steps: Steps, place: Path, *, strict: bool) -> Built | None:
    """The build that is made in the cache; None when it can't be made there."""
    from marine_gen.artifact.tiers import start_optimising, worthwhile

    if not (place / MANIFEST).is_file() and worthwhile(source, flavour.metered):
        first = replace(flavour, baseline=True)
        at = place.with_name(build_key(source, **asdict(first)))
        begun = found_build(at, strict=strict)
        if begun is None:
            with contextlib.suppress(LoadError):  # the optimising compiler may take it, or says what is wrong
                begun = _made(source, first, at, steps, strict=strict)
        if begun is not None:
            start_optimising(begun.directory, place, asdict(flavour))
            return replace(begun, baseline=True)
    return _made(source, flavour, place, steps, strict=strict)


def found_build(place: Path, *, strict: bool) -> Built | None:
    """The build at `place`, when it is there and whole."""
    manifest, pack = known_manifest(place), None
    if manifest is None or manifest.key != place.name:
        pack = read_pack(str(place))
        if pack is None or pack.manifest.key != place.name:
            return None
        manifest = pack.manifest
    note_use(str(place / CHECKED))
    if strict and any(entry.plan.left_out for entry in manifest.modules):
        return None
    return Built(place, manifest, pack=pack)


def _made(source: Source, flavour: Flavour, place: Path, steps: Steps, *, strict: bool) -> Built | None:
    """A new build at `place`; None when it can't be made there, or not of this flavour."""
    if place.is_dir() and not (place / MANIFEST).is_file():
        import shutil

        shutil.rmtree(place, ignore_errors=True)  # a build would not replace what it does not recognise
    from marine_gen.artifact.builder import build

    try:
        manifest = build(source, place, strict=strict, steps=steps, **asdict(flavour)).manifest
    except LoadError as error:
        if type(error) is not LoadError:  # the service is wrong, not the cache
            raise
        return None
    note_whole(place, manifest)
    trim()
    return Built(place, manifest)


def note_whole(place: Path, manifest: Manifest) -> None:
    """Write the pack of a build in the cache, whose files fit its manifest, and drop its mark of a first load."""
    with contextlib.suppress(OSError):  # the next load reads all files again, nothing else
        write_pack(str(place), manifest)
        write_replacing(place / CHECKED, b"")
    with contextlib.suppress(OSError):
        os.unlink(mark_of(place))


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

    Machine code of portable builds, leftovers of killed builds and what is known of libraries are removed too.
    """
    entries = cache_entries()
    directory = cache_directory()
    leftovers = [] if directory is None else [item for item in directory.iterdir() if _LEFTOVER.match(item.name)]
    import shutil

    for entry in (*entries, *leftovers):
        shutil.rmtree(entry, ignore_errors=True)
    if directory is not None:
        shutil.rmtree(directory / FIRST_FOLDER, ignore_errors=True)
    for file in (*cached_code(), *([] if directory is None else directory.glob(LIBRARY_FILES))):
        file.unlink(missing_ok=True)
    if directory is not None:
        with contextlib.suppress(OSError):  # not there, or with something of somebody else's
            (directory / CODE_FOLDER).rmdir()
    return len(entries)

"""The process that makes complete builds of services that another one loads for the first time; `tiers` starts it.

    python -m marine_gen.artifact.completing CACHE PARENT

It ends when there is nothing left to build, and otherwise as `optimise` does.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from marine_gen.artifact.builder import build
from marine_gen.artifact.marks import owner_of, unpack_source
from marine_gen.artifact.optimise import Scratch, live_with, put_in_place
from marine_runtime import MarineError
from marine_runtime.artifact import FIRST_FOLDER


def main(arguments: Sequence[str]) -> None:
    """Build the services of all marks of the parent, in the order in which they were loaded."""
    directory, parent = Path(arguments[0]), arguments[1]
    made: list[Scratch] = []

    def clean() -> None:
        for scratch in made:
            scratch.remove()

    live_with(int(parent), clean)
    while marks := [mark for mark in _by_age(directory / FIRST_FOLDER) if owner_of(mark) == parent]:
        for mark in marks:
            if not _complete(mark, directory / mark.name, made):
                return


def _complete(mark: Path, place: Path, made: list[Scratch]) -> bool:
    """Build one service; False when another process does so. The directories that it makes are added to `made`."""
    import fcntl  # which other systems lack, as they lack this process

    try:
        lock = os.open(mark, os.O_RDONLY)
    except FileNotFoundError:  # another load has made it
        return True
    with open(lock, "rb") as file, Scratch(place.parent, place.name) as scratch:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        made.append(scratch)
        try:
            source, flavour = unpack_source(file.read())
            if not place.exists():
                put_in_place(build(source, scratch.make() / "service", **flavour), place)
        except (OSError, ValueError, KeyError, TypeError, MarineError):
            pass  # it is done, or nobody can do it; the service runs as it is
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mark)
    return True


def _by_age(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return [Path(item.path) for item in sorted(found, key=lambda item: item.stat().st_mtime_ns)]
    except OSError:  # one is gone already
        return []


if __name__ == "__main__":
    main(sys.argv[1:])

"""The process that builds a service of the cache once more, with optimised code; `tiers` starts it.

    python -m marine_gen.artifact.optimise FIRST PLACE FLAVOUR PARENT

It has the lowest priority and bounded time, and ends within a second of the process that started it. What it makes
appears at its place in one step. Of several such processes for one build the first does the work.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from marine_gen.artifact.builder import BuildResult, build
from marine_gen.artifact.cache import note_whole
from marine_gen.artifact.target import read_built
from marine_runtime import MarineError

_PAUSE = 0.5  # seconds between looks at the process that started this one
_PATIENCE = 1.0  # seconds that it has to live for the work to begin: most commands are over by then
_LONGEST = 900  # seconds


def main(arguments: Sequence[str]) -> None:
    """Do it, unless the build is there or another process makes it."""
    import fcntl  # which other systems lack, as they lack this process

    first, place, flavour, parent = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2]), int(arguments[3])
    with Scratch(place.parent, place.name) as scratch:
        live_with(parent, scratch.remove)
        time.sleep(_PATIENCE)
        lock = os.open(first, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not place.exists():
                made = build(read_built(first), scratch.make() / "service", **flavour)
                put_in_place(made, place)
        except (OSError, MarineError):
            pass  # it is done, or nobody can do it; the service runs as it is
        finally:
            os.close(lock)


class Scratch:
    """A directory in the cache, which is removed at the end; what killed processes left of that name too."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._prefix = folder, f".{name}-optimised-"
        self._made: Path | None = None

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)

    def make(self) -> Path:
        """Make it, once the lock is held."""
        for left in self._folder.glob(f"{self._prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        self._made = Path(tempfile.mkdtemp(prefix=self._prefix, dir=self._folder))
        return self._made

    def remove(self) -> None:
        """Remove it from another thread, before the process ends."""
        self.__exit__()


def put_in_place(made: BuildResult, place: Path) -> None:
    """Move a build to its place in the cache, where nothing is; raises OSError."""
    if made.manifest.key == place.name:
        os.rename(made.directory, place)
        note_whole(place, made.manifest)


def live_with(parent: int, last: Callable[[], None]) -> None:
    """Give this process the lowest priority and bounded time; end it when `parent` has ended, after `last`."""
    import resource

    os.nice(19)
    signal.alarm(_LONGEST)  # its default ends the process
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (_LONGEST if hard == resource.RLIM_INFINITY else min(hard, _LONGEST), hard))
    began = _began(parent)

    def watch() -> None:
        while began is not None and _began(parent) == began:
            time.sleep(_PAUSE)
        last()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _began(process: int) -> str | None:
    """The time at which a process began, as Linux counts it; None when it has ended."""
    try:
        state, *rest = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else rest[18]


if __name__ == "__main__":
    main(sys.argv[1:])

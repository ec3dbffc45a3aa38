"""Builds that services of this process run: what was read of one is shared by all services that are loaded from it.

A build is known by its directory, and by size, time of change and inode of its files. Those notice accidents; they need
not notice attacks, as whoever can change a build can change what it runs. A build is forgotten with its last service.
"""

from __future__ import annotations

import os
import time
from weakref import WeakValueDictionary

from marine_runtime.artifact.manifest import MANIFEST, Manifest, read_manifest
from marine_runtime.errors import LoadError
from marine_runtime.lazy.digest import sha256
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from pathlib import Path

    from marine_runtime.config.model import ServiceConfig
    from marine_runtime.linking.context import LinkableModule

_SETTLED = 100_000_000
"""Nanoseconds that have to pass since a file changed: the clocks of file systems are not exact, so an earlier change
may have the same time."""

_SECOND = 1_000_000_000
_SETTLED_SECONDS = 2 * _SECOND + _SETTLED
"""The same for a file whose time is in whole seconds: some file systems keep no more, FAT only every other one."""

Identity = tuple[int, int, int]
"""Size, time of change in nanoseconds, and inode of a file."""

_builds: WeakValueDictionary[str, OpenBuild] = WeakValueDictionary()


class OpenBuild:
    """A built directory, as it was when it was read.

    Attributes:
        manifest: its manifest.
        modules: the compiled modules, by their purpose.
    """

    __slots__ = ("__weakref__", "_config", "_directory", "_files", "_identities", "_settled", "manifest", "modules")

    def __init__(
        self, directory: str, manifest: Manifest, *, settled: bool, known: list[Identity] | None = None
    ) -> None:
        self.manifest = manifest
        self.modules: dict[Hashable, Sequence[LinkableModule]] = {}
        self._config: ServiceConfig | None = None
        self._directory = directory
        self._files = files_of(directory, manifest)
        try:
            self._identities = identities(self._files) if known is None else known
        except OSError:
            self._identities = []
        self._settled = settled or self._is_old()

    @property
    def config(self) -> ServiceConfig:
        """The settings in the manifest; raises as `Manifest.config`."""
        if self._config is None:
            self._config = self.manifest.config
        return self._config

    def is_unchanged(self) -> bool:
        """True if its files are those that were there when it was read."""
        try:
            if identities(self._files) != self._identities:
                return False
            self._settled = self._settled or (self._is_old() and self._is_whole())
        except (OSError, LoadError):
            return False
        return self._settled

    def _is_old(self) -> bool:
        """True if no file was changed just now."""
        now = time.time_ns()
        margins = (_SETTLED if changed % _SECOND else _SETTLED_SECONDS for _, changed, _ in self._identities)
        return all(item[1] < now - margin for item, margin in zip(self._identities, margins, strict=True))

    def _is_whole(self) -> bool:
        """True if the files are those of the manifest, by their digests."""
        for path, item in zip(self._files[1:], self.manifest.all_files(), strict=True):
            with open(path, "rb") as file:
                if sha256(file.read()).hexdigest() != item.sha256:
                    return False
        return read_manifest(self._directory) == self.manifest


def files_of(directory: str, manifest: Manifest) -> list[str]:
    """The paths of the manifest of a build, and of every file in it."""
    return [f"{directory}/{name}" for name in (MANIFEST, *(item.name for item in manifest.all_files()))]


def identities(paths: Iterable[str]) -> list[Identity]:
    """The identities of files; raises OSError."""
    return [(item.st_size, item.st_mtime_ns, item.st_ino) for item in map(os.stat, paths)]


def known_manifest(directory: str | Path) -> Manifest | None:
    """The manifest of a directory whose build is open here, and has not changed since; None for others."""
    try:
        build = _builds.get(os.path.abspath(directory))
    except FileNotFoundError:  # the working directory was deleted
        return None
    return build.manifest if build is not None and build.is_unchanged() else None


def open_build(
    directory: str | Path, manifest: Manifest, *, settled: bool, known: list[Identity] | None = None
) -> OpenBuild:
    """The build of a directory with this manifest: the one that is open, when the manifest is the one in there.

    Nobody changes files of one that is `settled`, however young they are. `known` are the identities of its files.
    """
    place = os.path.abspath(directory)
    build = _builds.get(place)
    if build is None or build.manifest is not manifest:
        build = _builds[place] = OpenBuild(place, manifest, settled=settled, known=known)
    return build

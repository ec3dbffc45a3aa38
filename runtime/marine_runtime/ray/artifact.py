"""Built directories on the nodes of a cluster: packed once, unpacked once per node under a digest of their content.

A node keeps them in the user's cache, beside the machine code that a portable build is compiled to there; where there
is no safe place for a cache, each process unpacks a directory of its own. Files are compared with their digests before
they are used, and unpacked again when one is damaged.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from marine_runtime.artifact.code_cache import cache_to_use, own_directory
from marine_runtime.artifact.manifest import MANIFEST, read_manifest
from marine_runtime.errors import LoadError
from marine_runtime.texts.messages import os_reason

FOLDER = "cluster"
"""The folder of the cache with unpacked directories."""


@dataclass(frozen=True, slots=True)
class PackedBuild:
    """A built directory, without the content of its files.

    Attributes:
        name: the name of the service.
        key: a digest of the names and contents of its files.
        digests: sha256 of each file, by name.
    """

    name: str
    key: str
    digests: Mapping[str, str]


def pack(directory: str | Path) -> tuple[PackedBuild, bytes]:
    """A built directory, and its files as a zip archive.

    Raises:
        LoadError: it is not a built directory, or a file can't be read.
    """
    place = Path(directory)
    manifest = read_manifest(place)
    names = sorted({MANIFEST, *(entry.name for entry in manifest.all_files())})
    buffer, digests = io.BytesIO(), {}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            content = _read(place / name)
            digests[name] = hashlib.sha256(content).hexdigest()
            archive.writestr(zipfile.ZipInfo(name), content)  # not compressed, which takes longer than sending it
    key = hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in digests.items()).encode()).hexdigest()
    return PackedBuild(manifest.name, key[:32], digests), buffer.getvalue()


def unpack(artifact: PackedBuild, fetch: Callable[[], bytes]) -> Path:
    """The directory with the files of `artifact` on this machine; `fetch` gets the archive when they are not there.

    Raises:
        OSError: there is no room.
    """
    cache = cache_to_use()
    home = None if cache is None else own_directory(cache / FOLDER)
    if home is None:
        home = Path(tempfile.mkdtemp(prefix="marine-cluster-"))
        atexit.register(_remove, home, os.getpid())
    place = home / artifact.key
    if _intact(place, artifact):
        return place
    made = Path(tempfile.mkdtemp(prefix=f".{artifact.key}-", dir=home))
    try:
        with zipfile.ZipFile(io.BytesIO(fetch())) as archive:
            archive.extractall(made / "new")
        if not _intact(place, artifact):  # another process may have been faster
            with contextlib.suppress(OSError):
                os.rename(place, made / "damaged")
        with contextlib.suppress(OSError):
            os.rename(made / "new", place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return place


def _remove(home: Path, owner: int) -> None:
    if os.getpid() == owner:  # and no fork of it
        shutil.rmtree(home, ignore_errors=True)


def _intact(place: Path, artifact: PackedBuild) -> bool:
    try:
        return all(_digest(place / name) == digest for name, digest in artifact.digests.items())
    except OSError:
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LoadError(f"`{path}` can't be read: {os_reason(error)}; build the directory again") from None

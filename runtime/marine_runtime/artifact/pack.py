"""One file for all that a load reads of a build in the user's cache: the manifest, compiled Python and machine code.

The pack of a build knows size, time and inode of itself and of every file of the build. As long as all of these are the
same, the build is whole, and nothing is hashed: that notices accidents, and need not notice attacks, as the cache is
used only where nobody but the user can write. A pack that was copied is compared with its digest.

Large files are not in the pack: machine code is mapped from a file of its own, and compiled Python read piece by piece.
"""

from __future__ import annotations

import marshal
import os
from struct import Struct
from struct import error as malformed

from marine_runtime.artifact.bytecode import BYTECODE_KINDS, READ_WHOLE
from marine_runtime.artifact.files import MAPPED
from marine_runtime.artifact.manifest import Manifest
from marine_runtime.artifact.shared import Identity, files_of, identities
from marine_runtime.config.cache_directory import write_replacing
from marine_runtime.errors import LoadError
from marine_runtime.lazy.digest import sha256
from marine_runtime.lazy.files import read_file
from marine_runtime.lazy.typing import Any

PACK = ".pack"
"""The file of a build in the cache with all that a load reads."""

_MAGIC = b"marine1\n"
_HEADER = Struct(f"<{len(_MAGIC)}s3Q32s")
"""Magic; size, time of change and inode of the file; digest of what follows."""

_LENGTH = 8
_VERSION = 2  # of marshal, see `marshalled`


class CachedBuild:
    """The content of a pack whose build is whole.

    Attributes:
        manifest: the manifest of the build.
        identities: those of its files, in the order of `files_of`.
    """

    __slots__ = ("_content", "_places", "identities", "manifest")

    def __init__(
        self, manifest: Manifest, known: list[Identity], places: dict[str, tuple[int, int]], content: memoryview
    ) -> None:
        self.manifest = manifest
        self.identities = known
        self._places = places
        self._content = content

    def get(self, name: str) -> bytes | None:
        """The content of a file of the build; None when it is not in the pack."""
        place = self._places.get(name)
        return None if place is None else bytes(self._content[place[0] : place[1]])


def write_pack(directory: str, manifest: Manifest) -> None:
    """Write the pack of a build whose files are those of the manifest.

    Raises:
        OSError: a file can't be read, or the pack not written.
    """
    places: dict[str, tuple[int, int]] = {}
    parts: list[bytes] = []
    at = 0
    known = identities(files_of(directory, manifest))
    for name, most in _packed(manifest):
        data = read_file(f"{directory}/{name}")
        if len(data) < most:
            places[name] = at, at + len(data)
            parts.append(data)
            at += len(data)
    index = marshal.dumps((known, manifest.to_json(), places), _VERSION)
    body = b"".join([len(index).to_bytes(_LENGTH, "little"), index, *parts])
    path, digest = f"{directory}/{PACK}", sha256(body).digest()
    write_replacing(path, _HEADER.pack(_MAGIC, 0, 0, 0, digest) + body)
    _sign(path, digest)


def read_pack(directory: str) -> CachedBuild | None:
    """The pack of a build; None when there is none, or the build is not whole."""
    try:
        descriptor = os.open(f"{directory}/{PACK}", os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(descriptor)
            data = read_file(descriptor)
        finally:
            os.close(descriptor)
        magic, *own, digest = _HEADER.unpack_from(data)
        body = memoryview(data)[_HEADER.size :]
        if magic != _MAGIC:
            return None
        if (
            own != [status.st_size, status.st_mtime_ns, status.st_ino]
            and sha256(data[_HEADER.size :]).digest() != digest
        ):
            return None
        start = _LENGTH + int.from_bytes(body[:_LENGTH], "little")
        known, document, places = marshal.loads(body[_LENGTH:start])  # noqa: S302  # from where code comes from
        manifest = Manifest.from_json(document, intact=True)
        if known != identities(files_of(directory, manifest)):
            return None
        return CachedBuild(manifest, known, places, body[start:])
    except (OSError, ValueError, EOFError, TypeError, LoadError, malformed):
        return None


def _packed(manifest: Manifest) -> list[tuple[str, int]]:
    """The names of the files that may be in the pack, and the size from which they are not."""
    found = []
    for entry in manifest.modules:
        for kind, item in entry.files.items():
            if kind in entry.shapes:
                found.append((item.name, MAPPED))
            elif kind in BYTECODE_KINDS.values():
                found.append((item.name, READ_WHOLE))
    return found


def _sign(path: str, digest: bytes) -> None:
    """Write the identity of a pack into it. A reader in between compares it with its digest."""
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    try:
        status: Any = os.fstat(descriptor)
        os.write(descriptor, _HEADER.pack(_MAGIC, status.st_size, status.st_mtime_ns, status.st_ino, digest))
    finally:
        os.close(descriptor)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

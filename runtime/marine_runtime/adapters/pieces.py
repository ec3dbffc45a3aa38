"""Generated Python in pieces: definitions that are executed when they are first needed.

`taking_apart` says how a generated file becomes pieces. Its imports and the tables that linking needs are executed once
per load, record classes when they are first asked for; a definition is code that defines a global of a namespace that
one instance has for itself.
"""

from __future__ import annotations

import _imp
import marshal
import os
from collections.abc import Callable, Mapping
from types import CodeType

from marine_runtime.calls.sites import SITES_GLOBAL
from marine_runtime.errors import LoadError
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.digest import sha256
from marine_runtime.lazy.typing import Any

BIND, LINK = "__bind", "__link"
"""The function that is taken apart, and its parameter."""

RECORDS = "__records"
"""The table of the record classes by type index."""

IMPORTS, FUSED_SITES = "__imports", "__fused_sites"
"""Tables of a generated module that are read by those who load it."""

FUSED_TABLES = ("needs", "stub_needs", "imports", "hosts")
"""Others, with `__fused_` before their names: the attributes of `FusedModules` that have the same content."""

TABLES = frozenset({IMPORTS, *(f"__fused_{name}" for name in FUSED_TABLES)})
"""The tables that every load needs."""

Piece = tuple[tuple[str, ...], int, int, bytes]
"""The names of other definitions and record classes that one requests, and its code: where it begins, how long it is,
and its digest."""


_fix_filename: Callable[[CodeType, str], None] | None = getattr(_imp, "_fix_co_filename", None)
"""CPython's own function for compiled files that were moved."""


def placed(code: CodeType, filename: str) -> CodeType:
    """The code with the path of its source instead of the bare name that it was compiled under."""
    if _fix_filename is not None:
        _fix_filename(code, filename)
        return code
    parts = (placed(part, filename) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(parts))


class PieceFile:
    """The part of a file that has the code of definitions: read piece by piece, each compared with its digest.

    The file stays open, so that pieces are there when another build has taken its place.
    """

    __slots__ = ("_close", "_descriptor", "_path", "_start")

    def __init__(self, descriptor: int, start: int, path: str) -> None:
        """Take the `descriptor` of the file, where pieces begin at `start`."""
        self._descriptor, self._start, self._path = descriptor, start, path
        self._close = os.close

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a piece; fewer when the file was cut off."""
        return os.pread(self._descriptor, length, self._start + offset)

    def __del__(self) -> None:
        self._close(self._descriptor)


class PieceBytes:
    """The same for pieces that are in memory."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a piece."""
        return self._data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A generated file, taken apart; `__bind` is among the definitions when it is one piece.

    Attributes:
        head: the imports, and the tables that a load needs, marshalled.
        records: the names of the record classes by type index.
        definitions: the other definitions of the file, in it and in `__bind`, by name; a record class by `class_key`.
        results: the parts of `BoundAdapters`: for each keyword the names of the definitions by key. The value of an
            import is its codes and the name.
        store: has the code of definitions.
    """

    head: bytes
    records: Mapping[int, str]
    definitions: Mapping[str, Piece]
    results: Mapping[str, Mapping[Any, Any]]
    store: PieceFile | PieceBytes

    def code(self, name: str, path: str) -> CodeType:
        """The code of a definition of the file, which is at `path`.

        Raises:
            LoadError: the file was changed since it was opened.
        """
        _, offset, length, digest = self.definitions[name]
        data = self.store.read(offset, length)
        if piece_digest(data) != digest:
            raise LoadError(f"the compiled form of `{path}` was changed after it was loaded: load the service again")
        return unmarshalled(data, path)


def class_key(name: str) -> str:
    """The key of a record class among the definitions, which no other name is."""
    return f"class {name}"


def piece_digest(data: bytes) -> bytes:
    """The digest of the code of a definition: enough to notice damage."""
    digest: bytes = sha256(data).digest()
    return digest[:8]


def unmarshalled(data: bytes, path: str) -> CodeType:
    """Code out of a build, whose source is at `path`."""
    return placed(marshal.loads(data), path)  # noqa: S302  # a build is code


class Namespace:
    """The definitions of one instance, each made when it is first asked for, with those that it requests.

    Args:
        pieces: the file.
        content: the definitions of the head of the file.
        link: the link that definitions are bound to.
        path: the path of the file, which its code names.
        records: the record classes by name, for annotations.
    """

    def __init__(
        self, pieces: Pieces, content: Mapping[str, Any], link: Any, path: str, records: Mapping[str, type]
    ) -> None:
        self._pieces, self._path, self._records = pieces, path, records
        self._globals = {**content, LINK: link, SITES_GLOBAL: _LateSites(self)}
        self._made: set[str] = set()  # those that were executed to their end

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._make(name)
        return self._globals[name]

    def _make(self, name: str) -> None:
        """Execute what `name` requests and has not been executed, then itself."""
        pending, seen = [(name, False)], set[str]()
        while pending:
            current, ready = pending.pop()
            if ready:
                exec(self._pieces.code(current, self._path), self._globals)  # noqa: S102  # a build is code
                self._made.add(current)
            elif current in self._records:
                self._globals[current] = self._records[current]
            elif current not in seen and current not in self._made:
                seen.add(current)  # functions may request each other, which is fine until one is called
                pending.append((current, True))
                pending += [(other, False) for other in reversed(self._pieces.definitions[current][0])]


class _LateSites:
    """The table of sites of a file in pieces, which only errors want."""

    __slots__ = ("_namespace",)

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def at(self, line: int) -> Any:
        """See `marine_runtime.calls.sites.Sites.at`."""
        return self._namespace[SITES_GLOBAL].at(line)

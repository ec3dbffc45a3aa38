"""Compiled Python beside generated files, so that a load compiles nothing, even where Python can't write its caches."""

from __future__ import annotations

import marshal
import os
from _frozen_importlib_external import MAGIC_NUMBER  # `importlib.util`, which has it too, imports much
from collections.abc import Mapping
from types import CodeType

from marine_runtime.adapters.pieces import Piece, PieceBytes, PieceFile, Pieces, placed
from marine_runtime.lazy.table import RowTable, pack_table
from marine_runtime.lazy.typing import Any

BYTECODE_KINDS: Mapping[str, str] = {"python": "python_bytecode", "fused_python": "fused_python_bytecode"}
"""The kinds of files with compiled Python, by the kind of their sources: last what runs where adapters are fused."""

BYTECODE_END = ".bytecode"
"""The end of the names of such files, instead of that of the source."""

_IN_PIECES, _LENGTH = MAGIC_NUMBER + b"P", 8
"""The beginning of files in pieces, and the bytes of the length of the index that follows."""

_BEGIN = len(_IN_PIECES) + _LENGTH

READ_WHOLE = 1 << 18
"""Bytes of such a file up to which it is read at once. A larger one stays open, which costs a descriptor."""


def compiled_python(source: str, filename: str) -> bytes:
    """The content of a file with the compiled `source`: the magic number of this Python, and the code.

    That is a `P`, the number of bytes of an index, the index, and the code of each definition; or, of a source that is
    not generated, a marshalled code object.

    Args:
        source: the text of the source file.
        filename: its bare name, so that the content does not depend on the directory of the build.
    """
    from marine_runtime.adapters.marshalled import dump
    from marine_runtime.adapters.taking_apart import is_large, take_apart

    pieces = take_apart(source, filename, whole=not is_large(source))
    if pieces is None:
        return MAGIC_NUMBER + dump(compile(source, filename, "exec", dont_inherit=True))
    last = max(offset + length for _, offset, length, _ in pieces.definitions.values())
    index = dump(
        (
            pieces.head,
            dict(pieces.records),
            pack_table(pieces.definitions),
            {part: pack_table(names) for part, names in pieces.results.items()},
        )
    )
    return b"".join([_IN_PIECES, len(index).to_bytes(_LENGTH, "little"), index, pieces.store.read(0, last)])


def compiled_in_memory(source: str, path: str, *, apart: bool) -> CodeType | Pieces:
    """The code of a `source` that is not in a file; its definitions one by one when it is large, or if so (`apart`)."""
    from marine_runtime.adapters.taking_apart import is_large, take_apart

    pieces = take_apart(source, path) if apart or is_large(source) else None
    return compile(source, path, "exec", dont_inherit=True) if pieces is None else pieces


def read_compiled(data: bytes, filename: str) -> CodeType | Pieces | None:
    """The code in the content of such a file, as compiled from `filename`; None when another Python wrote it.

    Pieces still name the bare name of their source.

    The content must come from a trusted place: it is executed as it is.
    """
    if not data.startswith(MAGIC_NUMBER):
        return None
    try:
        if data.startswith(_IN_PIECES):
            end = _BEGIN + int.from_bytes(data[len(_IN_PIECES) : _BEGIN], "little")
            return _pieces(data[_BEGIN:end], PieceBytes(data[end:]))
        code = marshal.loads(data[len(MAGIC_NUMBER) :])  # noqa: S302  # a build is code
    except (EOFError, ValueError, TypeError):
        return None
    return placed(code, filename) if isinstance(code, CodeType) else None


def open_compiled(file: str, filename: str) -> CodeType | Pieces | None:
    """As `read_compiled`, of the file itself; of a large one the code of a definition is read when it is needed.

    Raises:
        OSError: it can't be read.
    """
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        begin = os.read(descriptor, READ_WHOLE)
        if len(begin) < READ_WHOLE:
            return read_compiled(begin, filename)
        if not begin.startswith(_IN_PIECES) or not hasattr(os, "pread"):
            with open(descriptor, "rb", closefd=False) as rest:
                return read_compiled(begin + rest.read(), filename)
        length = int.from_bytes(begin[len(_IN_PIECES) : _BEGIN], "little")
        index = os.pread(descriptor, length, _BEGIN)
        store = PieceFile(descriptor, _BEGIN + length, file)
        descriptor = -1  # it is the store's
        return _pieces(index, store)
    except (EOFError, ValueError, TypeError):
        return None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _pieces(index: bytes, store: PieceFile | PieceBytes) -> Pieces | None:
    """Pieces by their index; raises EOFError, ValueError or TypeError when it is damaged."""
    match marshal.loads(index):  # noqa: S302  # a build is code
        case (bytes() as head, dict() as records, bytes() as definitions, dict() as results):
            tables = {part: RowTable[Any, Any](names) for part, names in results.items()}
            return Pieces(head, records, RowTable[str, Piece](definitions), tables, store)
        case _:
            return None

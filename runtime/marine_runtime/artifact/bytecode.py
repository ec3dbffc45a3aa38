"""Compiled Python beside generated files, so that a load compiles nothing, even where Python can't write its caches."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from importlib.util import MAGIC_NUMBER
from types import CodeType

from marine_runtime.adapters.pieces import Pieces, placed

BYTECODE_KINDS: Mapping[str, str] = {"python": "python_bytecode", "fused_python": "fused_python_bytecode"}
"""The kinds of files with compiled Python, by the kind of their sources: last what runs where adapters are fused."""

BYTECODE_END = ".bytecode"
"""The end of the names of such files, instead of that of the source."""


def compiled_python(source: str, filename: str) -> bytes:
    """The content of a file with the compiled `source`: the magic number of this Python, and the marshalled code.

    Args:
        source: the text of the source file.
        filename: its bare name, so that the content does not depend on the directory of the build.
    """
    from marine_runtime.adapters.marshalled import dump
    from marine_runtime.adapters.taking_apart import is_large, take_apart

    pieces = take_apart(source, filename) if is_large(source) else None
    code = compile(source, filename, "exec", dont_inherit=True) if pieces is None else pieces.to_marshal()
    return MAGIC_NUMBER + dump(code)


def read_compiled(data: bytes, filename: str) -> CodeType | Pieces | None:
    """The code in the content of such a file, as compiled from `filename`; None when another Python wrote it.

    A large file is in pieces, which still name the bare name of their source.

    The content must come from a trusted place: it is executed as it is.
    """
    if not data.startswith(MAGIC_NUMBER):
        return None
    try:
        code = marshal.loads(data[len(MAGIC_NUMBER) :])  # noqa: S302  # a build is code
    except (EOFError, ValueError, TypeError):
        return None
    return placed(code, filename) if isinstance(code, CodeType) else Pieces.from_marshal(code)

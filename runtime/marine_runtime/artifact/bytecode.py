"""Compiled Python beside generated files, so that a load compiles nothing, wherever Python may write its own caches."""

from __future__ import annotations

import _imp
import marshal
from collections.abc import Callable, Mapping
from importlib.util import MAGIC_NUMBER
from types import CodeType

BYTECODE_KINDS: Mapping[str, str] = {"python": "python_bytecode", "fused_python": "fused_python_bytecode"}
"""The kinds of files with compiled Python, by the kind of their sources."""

BYTECODE_END = ".bytecode"
"""The end of the names of such files, in the place of that of the source."""

_VERSION = 2  # of marshal: later ones mark objects that are shared, which is not the same at every build


_fix_filename: Callable[[CodeType, str], None] | None = getattr(_imp, "_fix_co_filename", None)
"""CPython's own function for compiled files that were moved."""


def compiled_python(source: str, filename: str) -> bytes:
    """The content of a file with the compiled `source`: the magic number of this Python, and the marshalled code.

    Args:
        source: the text of the source file.
        filename: its bare name, so that the content does not depend on the directory of the build.
    """
    return MAGIC_NUMBER + marshal.dumps(compile(source, filename, "exec", dont_inherit=True), _VERSION)


def read_compiled(data: bytes, filename: str) -> CodeType | None:
    """The code in the content of such a file, as compiled from `filename`; None when another Python wrote it.

    The content must come from a trusted place: it is executed as it is.
    """
    if not data.startswith(MAGIC_NUMBER):
        return None
    try:
        code = marshal.loads(data[len(MAGIC_NUMBER) :])  # noqa: S302  # a build is code
    except (EOFError, ValueError, TypeError):
        return None
    return _placed(code, filename) if isinstance(code, CodeType) else None


def _placed(code: CodeType, filename: str) -> CodeType:
    """The code with the path of its source in the place of the bare name that it was compiled under."""
    if _fix_filename is not None:
        _fix_filename(code, filename)
        return code
    parts = (_placed(part, filename) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(parts))

"""Texts that come from a module, as literals and comments of the generated languages.

Such texts are data: whatever characters they have, they stay inside the literal or comment.
"""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.texts import shortened

_MAX_DOCSTRING = 200
_MAX_WAT_COMMENT = 120
_MAX_C_COMMENT = 100
_C_ESCAPES = {'"': '\\"', "\\": "\\\\", "?": "\\?", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\v": "\\v"}


def python_string(text: str) -> str:
    """A Python literal for `text`, in double quotes where that needs no escapes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in text else plain


def python_tuple(items: Sequence[str]) -> str:
    """A Python tuple of expressions or of names to assign to."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


_LONGEST_SUM = 100
"""Parts of a sum that stand side by side: Python's compilers recurse over each, and give up at some thousand."""


def python_sum(parts: Sequence[str]) -> str:
    """A Python expression for the sum of some expressions; there has to be one."""
    while len(parts) > _LONGEST_SUM:
        groups = range(0, len(parts), _LONGEST_SUM)
        parts = [f"({' + '.join(parts[start : start + _LONGEST_SUM])})" for start in groups]
    return " + ".join(parts)


def wat_string(content: str | bytes | bytearray) -> str:
    """A string of Wasm text, byte by byte."""
    data = content.encode() if isinstance(content, str) else content
    return '"' + "".join(f"\\{byte:02x}" for byte in data) + '"'


def docstring(text: str) -> str:
    """`text` as a one-line Python docstring."""
    return f'"""{docstring_line(text)}"""'


def docstring_line(text: str) -> str:
    """`text` as a line of a Python docstring."""
    plain = shortened(text, _MAX_DOCSTRING)
    if not plain.isprintable():
        plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in plain)
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def wat_comment(text: str) -> str:
    """`text` as a line comment of Wasm text."""
    return f";; {_ascii(shortened(text, _MAX_WAT_COMMENT))}"


def c_string(text: str) -> str:
    """A C literal for `text`, which has no NUL."""
    return f'"{"".join(_C_ESCAPES.get(character, character) for character in text)}"'


def c_comment(text: str) -> str:
    """`text` as the content of a C comment."""
    return _ascii(shortened(text, _MAX_C_COMMENT)).replace("*/", "* /").replace("/*", "/ *")


def _ascii(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() and character.isascii() else "?" for character in text)

"""Numbers, strings and names as the text writes them: read and written here, both ways."""

from __future__ import annotations

import re

from marine_gen.diagnostics import Code

_CLOSED = re.compile(r'\$?"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PIECE = re.compile(
    r"""(?P<plain>[^\\\x00-\x1f\x7f]+)|\\(?:u\{(?P<scalar>[^}]*)\}|(?P<byte>[0-9A-Fa-f]{2})|(?P<char>["'\\tnr]))"""
)
_HEX = re.compile(r"[0-9A-Fa-f](?:_?[0-9A-Fa-f])*")
_CHARS = {"t": "\t", "n": "\n", "r": "\r"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNREADABLE = re.compile(r'["\\\x00-\x1f\x7f]')
_IDCHARS = re.compile(r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]+")
_DECIMAL_DIGITS = 20  # as many as the largest number of 64 bits has
_MAX_SCALAR = 0x10FFFF


class LiteralError(ValueError):
    """A literal has no value.

    Attributes:
        code: the code of the diagnostic.
        message: one sentence, no full stop.
        index: position in the literal.
        length: the number of characters concerned.
    """

    def __init__(self, code: Code, message: str, index: int, length: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.index = index
        self.length = length


def is_closed(literal: str) -> bool:
    """True if a string or quoted name has its closing quote."""
    return _CLOSED.fullmatch(literal) is not None


def read_string(literal: str) -> str:
    """The value of a string, or of a quoted name.

    Raises:
        LiteralError: an escape is unknown, a character must be escaped, or the bytes are not UTF-8.
    """
    position = literal.index('"') + 1
    end = len(literal) - 1
    value = bytearray()
    while position < end:
        match = _PIECE.match(literal, position, end)
        if match is None:
            raise _bad_piece(literal, position)
        if (plain := match["plain"]) is not None:
            value += plain.encode("utf-8", "surrogatepass")
        elif (byte := match["byte"]) is not None:
            value.append(int(byte, 16))
        elif (char := match["char"]) is not None:
            value += _CHARS.get(char, char).encode()
        else:
            value += _scalar(match["scalar"], position, match.end() - position).encode()
        position = match.end()
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise LiteralError(Code.TEXT_VALUE, "the string is not UTF-8", 0, len(literal)) from None


def _scalar(digits: str, index: int, length: int) -> str:
    if _HEX.fullmatch(digits):
        # Six digits hold every scalar; longer ones are refused before they are converted.
        significant = digits.replace("_", "").lstrip("0")
        number = int(significant or "0", 16) if len(significant) <= 6 else _MAX_SCALAR + 1
        if number <= _MAX_SCALAR and not 0xD800 <= number <= 0xDFFF:
            return chr(number)
    raise LiteralError(Code.TEXT_VALUE, "the escape does not name a Unicode character", index, length)


def _bad_piece(literal: str, position: int) -> LiteralError:
    if literal[position] == "\\":
        return LiteralError(Code.TEXT_VALUE, "the string has an unknown escape", position, 2)
    message = f"the character U+{ord(literal[position]):04X} must be escaped in a string"
    return LiteralError(Code.TEXT_LEXICAL, message, position, 1)


def read_integer(literal: str, low: int, high: int) -> int | None:
    """The value of a number, or None when it is outside `low` … `high`; an unsigned number never has a minus sign."""
    digits = literal.lstrip("+-").replace("_", "")
    base = 16 if digits.startswith("0x") else 10
    significant = digits.removeprefix("0x").lstrip("0") or "0"
    if len(significant) > _DECIMAL_DIGITS or (low == 0 and literal.startswith("-")):
        return None
    magnitude = int(significant, base)
    value = -magnitude if literal.startswith("-") else magnitude
    return value if low <= value <= high else None


def read_name(literal: str) -> str:
    """The value of an id, without stripping colons, or of a quoted name.

    Raises:
        LiteralError: as for `read_string`.
    """
    return read_string(literal) if literal.startswith('$"') else literal[1:]


def write_string(value: str) -> str:
    """`value` in quotes; escapes are used only where the text would not be readable otherwise."""
    return f'"{_UNREADABLE.sub(_escape, value)}"'


def write_name(name: str, *, colon: bool) -> str:
    """`name` with its `$`, quoted where an id cannot carry it, and with its colon if `colon`.

    An id with a colon may be empty but loses all colons at its end; an id without one is the other way round.
    """
    plain = not name or _IDCHARS.fullmatch(name)
    if colon:
        return f"${name}:" if plain and not name.endswith(":") else f"${write_string(name)}:"
    return f"${name}" if plain and name else f"${write_string(name)}"


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _ESCAPES.get(char) or f"\\u{{{ord(char):x}}}"

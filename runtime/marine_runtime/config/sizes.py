"""Sizes in bytes as configurations write them: `1000`, `"10 MiB"`, `"Infinity"` (docs/spec/configuration.md#sizes).

Numbers are exact, however many digits a fraction has. This does not format sizes.
"""

from __future__ import annotations

import re

from marine_runtime.errors import ConfigError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import shortened

MAX_SIZE = 2**64 - 1
"""The largest size that can be written."""

UNLIMITED = ("Infinity", "infinity")

_LETTERS = "kmgtp"
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}{end}": 1000**power for power, letter in enumerate(_LETTERS, 1) for end in ("", "b")},
    **{f"{letter}{end}": 1024**power for power, letter in enumerate(_LETTERS, 1) for end in ("i", "ib")},
}
_SIZE = re.compile(r"\s*(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?\s*([A-Za-z]*)\s*")
_MAX_LENGTH = 100  # of a text; no size needs more, and Python refuses numbers of thousands of digits
_EXPECTED = 'a number of bytes, a string such as "10 MiB", or "Infinity"'


def parse_size(value: Any, where: str) -> int | None:
    """A size in bytes; None when it is unlimited. Fractions of a byte are cut off.

    Args:
        value: an integer or a text; units are case-insensitive, `kB` is 1000 and `KiB` is 1024 bytes.
        where: its name in error messages.

    Raises:
        ConfigError: it is not a size.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return check_size(value, where)
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be {_EXPECTED}, not {shortened(repr(value))}")
    if value in UNLIMITED:
        return None
    match = _SIZE.fullmatch(value) if len(value) <= _MAX_LENGTH else None
    if match is None:
        raise ConfigError(f"{where} must be {_EXPECTED}, not {shortened(repr(value))}")
    unit = _UNITS.get(match[3].lower())
    if unit is None:
        raise ConfigError(f"{where} has the unknown unit `{match[3]}`; units are B, kB to PB, and KiB to PiB")
    fraction = match[2] or ""
    return check_size(int(match[1] + fraction) * unit // 10 ** len(fraction), where)


def check_size(value: int, where: str) -> int:
    """`value` if it is a possible size.

    Raises:
        ConfigError: it is negative or too large.
    """
    if value < 0:
        raise ConfigError(f"{where} must not be negative")
    if value > MAX_SIZE:
        raise ConfigError(f"{where} must be less than 2^64 bytes")
    return value

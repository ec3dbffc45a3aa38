"""The spelling of numbers in JSON results, which is that of Rust's `serde_json`."""

from __future__ import annotations

import math
from operator import itemgetter

_DIGITS = [str(number) for number in range(256)]


def spell_float(value: float) -> str:
    """A finite float as `serde_json` spells it: the shortest digits, `1e16`, `1.0`, `-0.0`, `0.00001`."""
    text = repr(value)
    mantissa, marker, exponent = text.partition("e")
    if not marker:
        return text
    power = int(exponent)
    if power != -5:
        return f"{mantissa}e{power}"
    # Python turns to exponents one digit earlier.
    sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    return f"{sign}0.0000{digits.replace('.', '')}"


def write_float(value: float) -> str:
    """A float as `serde_json` writes it: one that is not finite is `null`."""
    return spell_float(value) if math.isfinite(value) else "null"


def write_bytes(value: bytes) -> str:
    """An array of numbers."""
    if len(value) < 2:
        return f"[{','.join(map(_DIGITS.__getitem__, value))}]"
    return f"[{','.join(itemgetter(*value)(_DIGITS))}]"

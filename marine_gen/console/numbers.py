"""Numbers that people write: decimal digits, and nothing else that Python would take for a number."""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?")


def number_in(text: str) -> float:
    """The number that `text` is; NaN for anything else, such as `1_0`, `nan`, digits that are not ASCII, and for what
    is too large.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def whole_number_in(text: str) -> int | None:
    """The whole number that `text` is; None for anything else."""
    return int(text) if _WHOLE.fullmatch(text) else None

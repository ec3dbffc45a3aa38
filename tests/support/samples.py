"""Parameters of tests of which some run every time, and the others in the long run (`-m slow`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], often: Callable[[Any], bool]) -> list[Any]:
    """All `values`; those that are not `often` tried are marked `slow`."""
    return [value if often(value) else pytest.param(value, marks=pytest.mark.slow) for value in values]

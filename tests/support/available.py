"""Tools that some tests need. Where one is missing they are skipped; where CI runs it has to be there."""

from __future__ import annotations

import importlib.util
import os
from typing import NoReturn

import pytest

CI = os.environ.get("CI") == "true"

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None and not CI, reason="needs the C compiler of the `guests` extra"
)
"""For tests that compile C; where CI runs, they fail without the compiler."""


def unavailable(reason: str) -> NoReturn:
    """Skip on a developer's machine; fail where CI runs."""
    if CI:
        pytest.fail(reason)
    pytest.skip(reason)

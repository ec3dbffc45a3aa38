"""Guests in files of their name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engines import guest


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], Path]:
    """Puts a guest into a file of its name."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.wasm"
        path.write_bytes(guest(name))
        return path

    return write

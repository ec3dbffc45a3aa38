"""Caches for loads in tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from marine_gen.artifact.tiers import VARIABLE


@pytest.fixture
def cache_of_first_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for loads that need not make complete builds."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("MARINE_GEN_CACHE", str(folder))
    monkeypatch.setenv(VARIABLE, "1")
    return folder

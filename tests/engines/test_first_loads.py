"""Functions that are generated when they are first called do what those of other engines do."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from marine_gen.artifact import cache_entries, tiers
from marine_gen.artifact.tiers import VARIABLE
from tests.support.batches import BATCHES, compare
from tests.support.engines import CONFIGURATIONS, OFTEN


@pytest.mark.parametrize(
    ("kind", "calls"), [("programs", 60), *(pytest.param(kind, 240, marks=pytest.mark.slow) for kind in BATCHES)]
)
def test_random_services(kind: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("MARINE_GEN_CACHE", str(folder))
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(tiers, "_start", lambda *_: None)
    monkeypatch.setattr(tiers, "was_loaded", lambda _: False)
    batch = BATCHES[kind](Random(f"{kind} on demand"), calls)
    differences = compare(batch, OFTEN if calls < 100 else CONFIGURATIONS)
    assert not differences, "\n".join(map(str, differences))
    assert not cache_entries(), "no engine has made a build"

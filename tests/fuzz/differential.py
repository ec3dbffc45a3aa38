"""Random services on every engine and call layer, one batch after the other, until the count or the time is reached.

What a batch is, and what is compared, is told in `tests.support.batches`. A difference is saved with the adapters.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from marine_gen.artifact import clear_cache
from marine_gen.binary import extract
from marine_gen.text import print_interfaces
from marine_runtime.config.cache_directory import CACHE_VARIABLE
from tests.support.batches import BATCHES, Batch, Difference, compare

CALLS = 480
"""Calls per batch: enough that they, not loading, take the time."""

_MOST_FINDINGS = 20


def compare_many(kind: str, cases: int, seconds: int, seed: int, folder: Path, *, calls: int = CALLS) -> dict[str, Any]:
    """Compare at least `cases` calls, or as many as `seconds` allow (0 for any time), `calls` per service."""
    with (
        tempfile.TemporaryDirectory(prefix="marine-gen-fuzz-") as cache,
        patch.dict(os.environ, {CACHE_VARIABLE: cache}),
    ):
        return _compare_many(kind, cases, seconds, seed, folder, calls)


def _compare_many(kind: str, cases: int, seconds: int, seed: int, folder: Path, calls: int) -> dict[str, Any]:
    start, done, services = time.monotonic(), 0, 0
    findings: list[dict[str, str]] = []
    while done < cases and len(findings) < _MOST_FINDINGS and (not seconds or time.monotonic() - start < seconds):
        batch = BATCHES[kind](Random(f"{kind} {seed} {services}"), calls)
        name = f"{kind}-{seed}-{services}"
        try:
            differences = compare(batch)
        except Exception as error:
            differences = [Difference(f"{type(error).__name__}: {error}", {})]
        findings += [
            {"kind": item.place[:300], "message": str(item)[:3000], "input": f"{name}.txt"} for item in differences
        ]
        if differences:
            (folder / f"{name}.txt").write_text(_account(batch, differences), "utf-8", "backslashreplace")
        clear_cache()
        services += 1
        done += len(batch.calls)
    took = round(time.monotonic() - start)
    return {"cases": done, "services": services, "seed": seed, "seconds": took, "findings": findings[:_MOST_FINDINGS]}


def _account(batch: Batch, differences: list[Difference]) -> str:
    texts = [f"===== {name}\n{print_interfaces(extract(wasm))}" for name, wasm in batch.modules.items()]
    return "\n\n".join([*map(str, differences), *texts])

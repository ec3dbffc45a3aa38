"""The counts of the last long runs, which the security page quotes: `last_run.json`.

Each long run replaces its own key and leaves the others alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

LAST_RUN = Path(__file__).with_name("last_run.json")
COUNTING = os.environ.get("MARINE_GEN_COUNT") == "1"
"""True if a run is meant to be written down."""


def counts() -> dict[str, Any]:
    """The figures that are written down, by key."""
    found: dict[str, Any] = json.loads(LAST_RUN.read_text("utf-8")) if LAST_RUN.exists() else {}
    return found


def count(key: str, numbers: dict[str, Any]) -> None:
    """Replace the counts of one long run."""
    LAST_RUN.write_text(json.dumps({**counts(), key: numbers}, indent=2, sort_keys=True) + "\n", encoding="utf-8")

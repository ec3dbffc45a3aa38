"""Constraints for pip: the lowest versions that `pyproject.toml` declares, of what users install."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

EXTRAS = ("serve", "client")
_LEAST = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)")


def constraints(document: str) -> list[str]:
    """A line `NAME==VERSION` for each dependency."""
    content = tomllib.loads(document)
    declared = list(content["tool"]["hatch"]["metadata"]["hooks"]["custom"]["dependencies"])
    for extra in EXTRAS:
        declared += content["project"]["optional-dependencies"][extra]
    found = [_LEAST.match(item) for item in declared]
    assert all(found), declared
    return [f"{match[1]}=={match[2]}" for match in found if match]


if __name__ == "__main__":
    sys.stdout.write("\n".join(constraints(Path("pyproject.toml").read_text("utf-8"))) + "\n")

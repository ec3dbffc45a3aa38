"""Clusters of this machine. The tests of this folder run by `make ray`, in an environment that has Ray."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ray.clusters import RAY, two_nodes
from tests.support import pools
from tests.support.paths import ROOT

NOISE = ("FutureWarning", "ResourceWarning", "DeprecationWarning", "pytest.PytestUnraisableExceptionWarning")
"""Warnings that Ray itself gives."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave these tests to `make ray`, where they must not be skipped."""
    folder = str(Path(__file__).parent) + os.sep
    for item in items:
        if str(item.path).startswith(folder):
            if not RAY:
                item.add_marker(pytest.mark.skip(reason="`make ray` runs it, in an environment that has Ray"))
            for category in NOISE:
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service of `tests.support.pools`, built for every machine."""
    import marine_gen

    place = tmp_path_factory.mktemp("lab") / "lab"
    marine_gen.build(pools.lab(), place, native=False)
    return place


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes with two processors each, which share nothing but the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'runtime'}")  # host functions are in `tests`
        patch.setenv(pools.LOG, str(tmp_path_factory.mktemp("log") / "log"))
        with two_nodes(tmp_path_factory.mktemp("nodes")) as made:
            yield made

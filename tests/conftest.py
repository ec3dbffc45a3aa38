"""Fixtures that several folders of tests share: a private cache, and services that close themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from marine_runtime import Service
from marine_runtime.artifact.code_cache import CACHE_VARIABLE
from tests.support.engines import CONFIGURATIONS, Configuration, Modules, load


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds go to a directory of this test run, never to the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(params=CONFIGURATIONS, ids=str)
def configuration(request: pytest.FixtureRequest) -> Configuration:
    """Every engine and call layer in turn."""
    chosen: Configuration = request.param
    return chosen


@pytest.fixture
def serve(configuration: Configuration) -> Iterator[Callable[..., Service]]:
    """Loads modules under the current configuration; what it loaded is closed after the test."""
    with ExitStack() as stack:

        def make(modules: Modules, **options: Any) -> Service:
            return stack.enter_context(load(modules, configuration.engine, configuration.call_layer, **options))

        yield make

"""Fixtures of all tests: a private cache, services that close themselves, independence of the machine."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from marine_gen.artifact.tiers import VARIABLE
from marine_runtime import Service
from marine_runtime.artifact.cache_limit import LIMIT_VARIABLE
from marine_runtime.config.cache_directory import CACHE_VARIABLE
from marine_runtime.wasm.capi.verdict import verdict
from tests.support.engines import CONFIGURATIONS, HOST_SIDE, OFTEN, Configuration, Modules, load
from tests.support.samples import sampled

# A busy machine is no reason to fail. Where a test does not say how many examples it wants, MARINE_GEN_EXAMPLES does.
settings.register_profile(
    "suite",
    settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("MARINE_GEN_EXAMPLES", "40")),
)
settings.load_profile("suite")

# The processes of a run share the machine; threads in which each of them compiles would only wait for each other.
os.environ.setdefault("RAYON_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: no collection of garbage looks through them."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Everything that was put aside ends with the session."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def deliverable_interrupts() -> Iterator[None]:
    """Processes that tests start can be interrupted, also where shells let background jobs ignore SIGINT."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds go to a directory of this test run, never to the user's own cache. Its processes share it.

    It has no limit: each build would look through all of the others. First loads make complete builds, which later
    tests find.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-cache"
    folder.mkdir(mode=0o700, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        patch.setenv(LIMIT_VARIABLE, "Infinity")
        patch.setenv(VARIABLE, "0")
        verdict()  # kept for the processes that tests start, and written into no cache of a single test
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test under each configuration of its tier, unless it chooses some itself."""
    item = metafunc.definition
    own = any("configuration" in mark.args[0] for mark in item.iter_markers("parametrize"))
    if "configuration" in metafunc.fixturenames and not own:
        pool_side, host_side, costly = map(item.get_closest_marker, ("pool_side", "host_side", "costly"))
        tier = HOST_SIDE if host_side or pool_side else CONFIGURATIONS
        often = OFTEN[:1] if pool_side or costly else OFTEN
        metafunc.parametrize("configuration", sampled(tier, often.__contains__), indirect=True, ids=str)


@pytest.fixture
def configuration(request: pytest.FixtureRequest) -> Configuration:
    """An engine and a call layer of the test's tier."""
    chosen: Configuration = request.param
    return chosen


@pytest.fixture
def serve(configuration: Configuration) -> Iterator[Callable[..., Service]]:
    """Loads modules under the current configuration; what it loaded is closed after the test."""
    with ExitStack() as stack:

        def make(modules: Modules, **options: Any) -> Service:
            return stack.enter_context(load(modules, configuration.engine, configuration.call_layer, **options))

        yield make

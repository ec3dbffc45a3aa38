"""Ray clusters of two nodes on this machine, as small as they get."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marine_runtime.config.cache_directory import CACHE_VARIABLE
from tests.support import pools
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from marine_runtime.ray import RayServicePool

RAY = bool(os.environ.get("MARINE_GEN_RAY"))
"""True if `make ray` runs the tests, which then need Ray."""

STORE = 100 * 2**20
"""Bytes of the object store of a node."""

LONG = 120.0
"""Seconds that nothing should take, also on a busy machine."""


class Nodes:
    """A cluster of two nodes, and this program connected to it.

    Attributes:
        cluster: Ray's.
        caches: the user's cache of each node.
    """

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.caches = [folder / name for name in ("first", "second")]
        for cache in self.caches:
            cache.mkdir(mode=0o700)
        self.cluster: Any = Cluster()
        self.nodes = [self.add(cache) for cache in self.caches]

    def add(self, cache: Path) -> Any:
        """One node more, with a cache of its own and the resource `node-NAME`. A busy machine gets more time for it."""
        for left in (2, 1, 0):
            try:
                return self.cluster.add_node(
                    num_cpus=2,
                    object_store_memory=STORE,
                    include_dashboard=False,
                    resources={f"node-{cache.name}": 100},
                    env_vars={CACHE_VARIABLE: str(cache)},
                )
            except Exception as error:  # Ray has no other class for it, and no setting in the place of its 30 s
                if not left or "timed out during startup" not in str(error):
                    raise
        raise AssertionError


@contextmanager
def two_nodes(folder: Path) -> Iterator[Nodes]:
    """Two nodes, while the block runs."""
    import ray

    made = Nodes(folder)
    try:
        made.cluster.wait_for_nodes()
        ray.init(made.cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        yield made
    finally:
        ray.shutdown()
        made.cluster.shutdown()


def open_pool(directory: Path, **options: Any) -> RayServicePool:
    """A pool over `lab`, whose actors reserve no processor: there are few of them."""
    from marine_runtime.ray import RayServicePool

    options.setdefault("workers", 1)
    return RayServicePool(directory, **{"num_cpus": 0, "host_functions": pools.host_functions, **options})


def program(nodes: Nodes, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program that is connected to the cluster, after lines that `open_pool` and others come from."""
    lines = ("import os, sys, ray", "from pathlib import Path", "from tests.ray.clusters import open_pool, until")
    begin = f"ray.init({nodes.cluster.address!r}, logging_level='ERROR', log_to_driver=False)"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'runtime'}"}
    command = [sys.executable, *options, "-c", "\n".join([*lines, begin, textwrap.dedent(text)])]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, env=environment, check=False)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere."""
    limit = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.01)

"""Many calls with faults on two nodes: each is answered once, nothing is run twice, nothing is left.

`MARINE_GEN_RAY_CALLS` says how many calls: 3,000 by default.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from marine_runtime.errors import ArgumentError, TrapError
from marine_runtime.pool import CallTimeoutError, WorkerDiedError
from tests.ray.clusters import LONG, Nodes, open_pool, until
from tests.support import pools

CALLS = int(os.environ.get("MARINE_GEN_RAY_CALLS", "3000"))

FAULTS = 100
"""One call in so many goes wrong."""

KILLED = max(2, min(20, CALLS // 1_000))
"""Workers that are killed, some time in the run."""

pytestmark = pytest.mark.slow


class Chaos(threading.Thread):
    """Kills actors, and in the middle of the run a node.

    Attributes:
        killed: the actors so far.
        error: what went wrong with the killing.
    """

    def __init__(self, made: Any, cluster: Nodes) -> None:
        super().__init__(name="chaos", daemon=True)
        self._made, self._cluster, self._done = made, cluster, threading.Event()
        self.killed = 0
        self.error: BaseException | None = None

    def __enter__(self) -> Chaos:
        assert self._busy() == {item.node_id for item in self._cluster.nodes[1:]}
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        """Kill while there are calls."""
        try:
            chance, node = random.Random(7), True
            while not self._done.wait(0.3) and (self.killed < KILLED or node):
                if node and self.killed >= KILLED // 2:
                    with suppress(Exception):  # an actor is just being replaced
                        node = not self._kill_node()
                    continue
                alive = [worker for worker in self._made._workers.members if worker._watch is not None]
                if not alive or self.killed >= KILLED:
                    continue
                import ray

                try:
                    found = ray.get(chance.choice(alive).actor.about.remote(), timeout=5)
                except Exception:  # it is just being replaced
                    continue
                os.kill(found["pid"], signal.SIGKILL)
                self.killed += 1
        except BaseException as error:
            self.error = error

    def _busy(self) -> set[str]:
        """The nodes that have actors."""
        return {item.node for item in self._made.actors()}

    def _kill_node(self) -> bool:
        """Kill a node that has an actor, but not the head; False when there is none at the moment."""
        busy = self._busy()
        for item in self._cluster.nodes[1:]:
            if item.node_id in busy:
                self._cluster.nodes.remove(item)
                self._cluster.cluster.remove_node(item, allow_graceful=False)
                return True
        return False


def test_every_call_is_answered_once(cluster: Nodes, lab: Path) -> None:
    """Traps, time-outs, killed actors and a killed node among calls that note their argument in a file."""
    log = Path(os.environ[pools.LOG])
    log.unlink(missing_ok=True)
    cluster.nodes.append(cluster.add(cluster.caches[1]))  # one of the two that have the actors is killed
    cluster.cluster.wait_for_nodes()
    chance, ways = random.Random(CALLS), Counter[str]()
    calls: list[tuple[Any, Future[Any]]] = []
    # Ray spreads only actors that reserve some processor.
    room = {"num_cpus": 0.1, "resources": {f"node-{cluster.caches[1].name}": 1}}
    with open_pool(lab, workers=4, queue=512, start_timeout=LONG, **room) as made, Chaos(made, cluster) as chaos:
        for number in range(CALLS):
            if number % FAULTS == FAULTS - 1:
                fault = chance.choice(["trap", "trap", "late", "argument"])
                if fault == "argument":
                    with pytest.raises(ArgumentError):
                        made.submit("greeting", "greeting", [number])
                    ways["fault"] += 1
                elif fault == "late":
                    calls.append((CallTimeoutError, made.submit("endless", "spin", timeout=0.02)))
                else:
                    calls.append((TrapError, made.submit("lab", "trap", [0])))
            elif number % 3:
                calls.append((number + 2, made.submit("lab", "hold", [number + 2])))  # 0 and 1 are special
            else:
                calls.append((f"Hi, {number}", made.submit("greeting", "greeting", [str(number)])))
        for wanted, future in calls:
            problem = future.exception(LONG)
            if isinstance(wanted, type):
                assert type(problem) in (wanted, WorkerDiedError)
                ways["fault"] += 1
            elif isinstance(problem, WorkerDiedError):
                ways["unknown" if problem.begun is None else "begun" if problem.begun else "never sent"] += 1
            else:
                assert problem is None
                assert future.result(0) == wanted
                ways["fine"] += 1
        until(lambda: not chaos.is_alive())
        assert chaos.error is None
        assert chaos.killed == KILLED
        assert made.statistics.lost == 0
        print(f"\n{CALLS} calls: {dict(ways)}; {chaos.killed} killed actors, 1 killed node, {made.statistics}")
    assert sum(ways.values()) == CALLS
    assert ways["never sent"] == 0, "a call that had not begun is sent to another worker"
    assert ways["fine"] >= 0.9 * CALLS
    noted = Counter(log.read_text().split())
    assert not [number for number, times in noted.items() if times > 1], "run twice"
    answered = {str(wanted) for wanted, future in calls if isinstance(wanted, int) and future.exception(0) is None}
    assert answered <= noted.keys()
    import ray

    left = [item for item in ray.util.list_named_actors(all_namespaces=True) if item["name"].startswith("marine/")]
    assert left == []
    until(lambda: sum(node["Alive"] for node in ray.nodes()) == 2)  # until then Ray may start actors on the dead node
    assert not [item for item in threading.enumerate() if item.name.startswith("pool-")]


def test_one_call_after_the_other_keeps_its_order(cluster: Nodes, lab: Path) -> None:
    """A service is given its calls in the order in which they were made."""
    with open_pool(lab) as made:
        service = made.service("orderly")
        futures = [service.submit("lab", "count", [0]) for _ in range(500)]
        assert [item.result(LONG) for item in futures] == list(range(1, 501))
        begin = time.monotonic()
        assert made.map("lab", "echo", [[number] for number in range(1_000)]) == list(range(1_000))
        assert time.monotonic() - begin < LONG
        assert made.close_service("orderly")

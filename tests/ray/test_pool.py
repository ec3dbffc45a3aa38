"""Pools on Ray: results, errors and limits as those of processes; what is known of calls when an actor dies."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import sys
import time
import types
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import marine_runtime
from marine_gen import HostFunction
from marine_runtime.errors import ArgumentError, CallError, LoadError, TrapError
from marine_runtime.pool import AsyncPool, CallTimeoutError, PoolClosedError, PoolError, PoolFullError, WorkerDiedError
from marine_runtime.pool.message import MOST, Pace
from tests.ray.clusters import LONG, Nodes, open_pool, until
from tests.support import pools
from tests.support.engines import outcome

CALLS = [
    ("greeting", "greeting", ["Zoë"]),
    ("greeting", "greeting", {"name": "Jane"}),
    ("greeting_record", "greeting_record", []),
    ("greeting_record", "void_fn", []),
    ("lab", "echo", [2**32 - 1]),
    ("third", "f", ["x"]),
    ("lab", "trap", [1]),
    ("lab", "blow", [0]),
]

if TYPE_CHECKING:
    from marine_runtime.ray import RayServicePool


@pytest.fixture(scope="module")
def pool(cluster: Nodes, lab: Path) -> Iterator[Any]:
    """A pool with an actor on each node."""
    with open_pool(lab, workers=2, num_cpus=0.1) as made:
        assert len({item.node for item in made.actors()}) == 2
        yield made


@pytest.fixture
def log() -> Iterator[Path]:
    """The file that `die` and `hold` write to."""
    place = Path(os.environ[pools.LOG])
    place.unlink(missing_ok=True)
    yield place
    place.unlink(missing_ok=True)


def begun(log: Path) -> list[int]:
    """The arguments of the calls in the log."""
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def together(made: RayServicePool, name: str, numbers: list[int], **options: Any) -> list[Any]:
    """Calls that wait while the only worker sleeps, and then travel as one message."""
    (worker,) = made._workers.members
    worker._pace._sizes["lab", name] = MOST
    nap = made.submit("lab", "nap", [1_500], timeout=LONG)
    until(lambda: made.waiting == 0)
    futures = [made.submit("lab", name, [number], **options) for number in numbers]
    assert nap.result(LONG) == 1_500
    return futures


def test_calls_give_what_a_service_gives(pool: RayServicePool, lab: Path) -> None:
    with marine_runtime.load(lab, host_functions=pools.host_functions()) as service:
        expected = [outcome(partial(service.call, *call)) for call in CALLS]
        assert str(pool.interface) == str(service.interface)
    assert [outcome(partial(pool.call, *call)) for call in CALLS] == expected
    assert [outcome(pool.submit(*call).result) for call in CALLS] == expected


def test_the_face_is_that_of_a_pool(pool: RayServicePool) -> None:
    assert pool.modules.greeting.greeting("John") == "Hi, John"
    cls = pool.records["greeting_record"]["GreetingRecord"]
    assert type(pool.call("greeting_record", "greeting_record")) is cls
    rows = [["x"] if number == 50 else [number] for number in range(100)]
    found = pool.map("lab", "echo", rows)
    assert found[:50] + found[51:] == [number for number in range(100) if number != 50]
    assert isinstance(found[50], ArgumentError)
    with pytest.raises(ArgumentError, match=r"^there is no module `nope`"):
        pool.call("nope", "f")
    with pytest.raises(TypeError, match=r"RayServicePool.call\(\) got an unexpected keyword argument 'timout'"):
        pool.call("lab", "echo", [1], timout=1)  # type: ignore[call-arg]
    assert repr(pool) == "<RayServicePool pool: 2 actors, 0 calls wait>"
    with pytest.raises(TrapError) as caught:
        pool.call("third", "f", ["x"])
    assert isinstance(caught.value.__cause__, CallError)


def test_waiting_calls_are_few_messages(pool: RayServicePool) -> None:
    sent = []
    for _ in range(3):  # a message that takes long, on a busy machine, makes the next ones smaller
        before = sum(worker._sent for worker in pool._workers.members)
        futures = [pool.submit("lab", "echo", [number]) for number in range(800)]
        assert [item.result(LONG) for item in futures] == list(range(800))
        sent.append(sum(worker._sent for worker in pool._workers.members) - before)
    assert min(sent) <= 400  # about 25 on an idle machine


def test_asyncio(cluster: Nodes, lab: Path) -> None:
    async def main() -> None:
        async with AsyncPool(open_pool, lab) as made:
            assert await made.call("greeting", "greeting", ["Zoë"]) == "Hi, Zoë"
            assert await asyncio.gather(*(made.modules.lab.echo(number) for number in range(50))) == list(range(50))
            assert await made.map("lab", "echo", [[1], [2]]) == [1, 2]
            with pytest.raises(TrapError):
                await made.call("lab", "trap", [0])
            runs, waits = (asyncio.ensure_future(made.call("lab", name, [500])) for name in ("nap", "count"))
            await asyncio.sleep(0.2)
            for task in (waits, runs):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await made.call("lab", "count", [0]) == 1, "the one that waited has not run"

    asyncio.run(main())


def test_a_poisoned_instance_is_replaced_and_what_follows_runs_on_the_next_one(
    cluster: Nodes, lab: Path, log: Path
) -> None:
    with open_pool(lab) as made:
        assert [made.call("lab", "count", [0]) for _ in range(2)] == [1, 2]
        with pytest.raises(TrapError):
            made.call("lab", "trap", [0])
        assert made.call("lab", "count", [0]) == 1
        numbers = [7, 1, 8, 1, 9]
        errors = [type(item.exception(LONG)) for item in together(made, "die", numbers)]
        assert errors == [type(None), ValueError, type(None), ValueError, type(None)]
        assert begun(log) == numbers
        assert (made.statistics.replaced, made.statistics.restarted) == (3, 0)


def test_time_limits(cluster: Nodes, lab: Path) -> None:
    with open_pool(lab, timeout=0.5) as made:
        with pytest.raises(CallTimeoutError, match="interrupted"):
            made.call("endless", "spin")
        assert made.statistics.replaced == 1
        futures = together(made, "nap", [1, 5_000, 2])
        assert [type(item.exception(LONG)) for item in futures] == [type(None), CallTimeoutError, type(None)]
        assert made.statistics.restarted == 1
        futures = [made.submit("lab", "nap", [200]) for _ in range(5)]
        assert [item.result(LONG) for item in futures] == [200] * 5, "time in the queue does not count"


def test_an_actor_that_dies_fails_only_what_may_have_begun(cluster: Nodes, lab: Path, log: Path) -> None:
    with open_pool(lab) as made:
        numbers = [7, 8, 0, *range(10, 40)]
        futures = together(made, "die", numbers)
        last = made.submit("lab", "echo", [5])
        errors = [item.exception(LONG) for item in futures]
        assert {type(item) for item in errors} == {WorkerDiedError}
        assert {item.begun for item in errors if isinstance(item, WorkerDiedError)} == {None}
        assert last.result(LONG) == 5, "it had not been sent"
        assert begun(log) == [7, 8, 0], "nothing is sent twice"
        assert made.statistics.restarted == 1


def test_what_a_slow_call_holds_up_is_returned_and_outlives_the_actor(
    cluster: Nodes, lab: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears that the first one has begun and the others have not."""
    from marine_runtime.ray.worker import RayWorker

    monkeypatch.setattr(Pace, "size", lambda *_: MOST)  # after the slow call before it, one would be alone
    monkeypatch.setattr(RayWorker, "held", 5.0)  # on a busy machine, messages may take longer than 60 ms to arrive
    with open_pool(lab) as made:
        futures = together(made, "nap", [1, 60_000, *range(10, 30)])
        assert futures[0].result(LONG) == 1
        until(futures[1].running)
        until(lambda: made.waiting >= 20)
        assert futures[-1].cancel()
        (found,) = made.actors()
        os.kill(found.pid, signal.SIGKILL)
        error = futures[1].exception(LONG)
        assert type(error) is WorkerDiedError
        assert error.begun is True
        assert [item.result(LONG) for item in futures[2:-1]] == list(range(10, 29))


def test_an_actor_that_died_while_idle_costs_no_call(cluster: Nodes, lab: Path) -> None:
    with open_pool(lab) as made:
        (found,) = made.actors()
        os.kill(found.pid, signal.SIGKILL)
        time.sleep(1)  # the cluster hears of it
        assert made.call("lab", "echo", [7]) == 7
        assert made.statistics.restarted == 1


def test_the_queue_and_closing(cluster: Nodes, lab: Path) -> None:
    made = open_pool(lab, queue=2)
    futures = [made.submit("lab", "nap", [60_000])]
    until(lambda: made.waiting == 0)
    futures += [made.submit("lab", "echo", [number]) for number in range(2)]
    with pytest.raises(PoolFullError):
        made.submit("lab", "echo", [3], wait=0)
    assert futures[0].running()
    assert not futures[0].cancel()
    made.close(timeout=0.1)
    made.close()
    assert [type(item.exception(0)) for item in futures] == [PoolClosedError] * 3
    with pytest.raises(PoolClosedError):
        made.call("lab", "echo", [1])


def test_a_pool_that_is_dropped_warns_and_ends_its_actors(cluster: Nodes, lab: Path) -> None:
    made: RayServicePool | None = open_pool(lab)
    (found,) = made.actors()
    made = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(item.message) for item in caught if "RayServicePool" in str(item.message)]
    until(lambda: not Path(f"/proc/{found.pid}").exists())


def test_builds_are_unpacked_once_per_node_and_again_when_damaged(cluster: Nodes, lab: Path) -> None:
    with open_pool(lab, workers=3, resources={"node-second": 1}) as made:
        assert len({item.node for item in made.actors()}) == 1
        place = cluster.caches[1] / "cluster" / made._source.artifact.key
        assert (place / "manifest.json").read_bytes() == (lab / "manifest.json").read_bytes()
        # Other tests have unpacked builds of theirs there.
        assert {item.name for item in place.parent.iterdir()} >= {place.name}
        assert all(re.fullmatch("[0-9a-f]{32}", item.name) for item in place.parent.iterdir()), "nothing half unpacked"
    (place / "manifest.json").write_bytes(b"{}")
    with open_pool(lab, resources={"node-second": 1}) as made:
        assert made.call("lab", "echo", [1]) == 1
    assert (place / "manifest.json").read_bytes() == (lab / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"workers": 0}, ArgumentError, "workers must be an integer of at least 1, not 0"),
        ({"num_cpus": -1}, ArgumentError, "num_cpus must be a number of at least 0, not -1"),
        (
            {"host_functions": {"f": HostFunction.of(lambda: None, [])}},
            ArgumentError,
            "source, host functions and options can't be sent",
        ),
        ({"options": 7}, ArgumentError, "`options` must be a mapping"),
        ({"resources": 7}, ArgumentError, "`resources` must be a mapping"),
        ({"resources": {"CPU": 1}}, ArgumentError, "`resources` must be a mapping of Ray's names to numbers"),
        ({"resources": {"x": "y"}}, ArgumentError, "`resources` must be a mapping of Ray's names to numbers"),
        ({"host_functions": pools.fails}, LoadError, "nothing to load"),
        ({"host_functions": pools.dies}, WorkerDiedError, "an actor died while it started: "),
        (
            {"num_cpus": 64, "start_timeout": 2},
            PoolError,
            "an actor was not ready within 2 s: does the cluster have room for",
        ),
    ],
)
def test_a_pool_that_cannot_start_says_why(
    cluster: Nodes, lab: Path, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        open_pool(lab, **options)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("sticky", [False, True])
def test_actors_that_a_dead_node_was_to_start_are_started_elsewhere(
    cluster: Nodes, lab: Path, monkeypatch: pytest.MonkeyPatch, sticky: bool
) -> None:
    """Ray places actors on a node that is gone until it notices that, which takes some seconds."""
    from marine_runtime.ray.sticky import StickyWorker
    from marine_runtime.ray.worker import RayWorker

    start, failures = RayWorker._start_instance, iter(range(2))

    def start_instance(self: Any) -> Any:
        if isinstance(self, StickyWorker) == sticky and next(failures, None) is not None:
            raise WorkerDiedError("an actor died while it started: its node is gone")
        return start(self)

    monkeypatch.setattr(RayWorker, "_start_instance", start_instance)
    with open_pool(lab) as made:
        assert made.call("greeting", "greeting", ["x"]) == "Hi, x"
        if sticky:
            assert made.service("moved").call("lab", "count", [0]) == 1
            assert made.close_service("moved")
    assert next(failures, None) is None


def test_host_functions_that_a_node_does_not_have(cluster: Nodes, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of the program itself, which is another module there."""
    made = types.ModuleType("of_the_program")
    exec("def make(): return {}", vars(made))
    monkeypatch.setitem(sys.modules, made.__name__, made)
    with pytest.raises(LoadError, match=r"^node \w+ can't find the host functions or an option .*'of_the_program'"):
        open_pool(lab, host_functions=made.make)


def test_what_is_no_built_directory_is_refused(cluster: Nodes, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"has no manifest\.json"):
        open_pool(tmp_path)

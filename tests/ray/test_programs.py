"""Programs that disconnect, end or die while their pools are open: what becomes of calls, actors and services."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ray.clusters import Nodes, open_pool, program, until

if TYPE_CHECKING:
    from marine_runtime.ray import RayServicePool


@pytest.fixture(scope="module")
def pool(cluster: Nodes, lab: Path) -> Iterator[RayServicePool]:
    """A pool of this program."""
    with open_pool(lab) as made:
        yield made


def test_after_a_shutdown_calls_fail_and_nothing_connects_again(cluster: Nodes, lab: Path) -> None:
    done = program(
        cluster,
        f"""
        from marine_runtime.pool import PoolError, WorkerDiedError

        def refused(work):
            try:
                work()
            except PoolError as error:
                assert not ray.is_initialized() or again, error
                return "Ray was shut down" in str(error) or "is gone" in str(error)

        again = False
        pool = open_pool(Path({str(lab)!r}))
        service = pool.service("cut off")
        running = [made.submit("lab", "nap", [60_000]) for made in (pool, service)]
        waiting = pool.submit("lab", "echo", [1])
        until(lambda: all(item.running() for item in running))
        ray.shutdown()
        errors = [item.exception(60) for item in running]
        assert [type(item) for item in errors] == [WorkerDiedError] * 2, errors
        assert isinstance(waiting.exception(60), PoolError)
        asked = [pool.services, lambda: pool.service("x"), lambda: pool.close_service("x")]
        asked += [lambda made=made: made.call("lab", "echo", [1]) for made in (pool, service)]
        assert all(refused(work) for work in asked)
        assert pool.actors() == []
        pool.close()

        ray.init({cluster.cluster.address!r}, logging_level="ERROR", log_to_driver=False)
        again, pool = True, open_pool(Path({str(lab)!r}))
        ray.shutdown()
        ray.init({cluster.cluster.address!r}, logging_level="ERROR", log_to_driver=False)
        assert refused(lambda: pool.call("lab", "echo", [1]))
        pool.close()
        print("fine")
        """,
    )
    assert done.stdout.endswith("fine\n"), done.stderr
    assert done.returncode == 0, done.stderr


def test_a_program_that_ends_in_the_middle_of_calls_ends_its_actors(cluster: Nodes, lab: Path) -> None:
    done = program(
        cluster,
        f"""
        pool = open_pool(Path({str(lab)!r}))
        futures = [pool.submit("lab", "nap", [60_000]), pool.submit("lab", "echo", [1])]
        until(futures[0].running)
        print(pool.actors()[0].pid)
        """,
    )
    assert done.returncode == 0, done.stderr
    until(lambda: not Path(f"/proc/{int(done.stdout.split()[-1])}").exists())


def test_services_of_a_program_that_dies_end_unless_they_are_detached(
    cluster: Nodes, lab: Path, pool: RayServicePool
) -> None:
    done = program(
        cluster,
        f"""
        import signal
        pool = open_pool(Path({str(lab)!r}))
        for name, detached in (("ends", False), ("stays", True)):
            service = pool.service(name, detached=detached)
            print(service.call("lab", "count", [0]), service.actors()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    first, second = ([int(word) for word in line.split()] for line in done.stdout.splitlines()[-2:])
    until(lambda: not Path(f"/proc/{first[1]}").exists())
    until(lambda: pool.services() == ["stays"])
    assert pool.service("stays").call("lab", "count", [0]) == 2
    assert pool.service("ends").call("lab", "count", [0]) == 1
    os.kill(second[1], signal.SIGKILL)
    until(lambda: not pool.service("ends").closed and pool.services() == ["ends"])
    assert [pool.close_service(name) for name in ("ends", "stays")] == [True, True]

"""Services with a state of their own: one actor per id, whoever asks; what is gone is an error."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from marine_runtime.errors import ArgumentError, TrapError
from marine_runtime.pool import WorkerDiedError
from tests.ray.clusters import LONG, Nodes, open_pool, until

if TYPE_CHECKING:
    from marine_runtime.ray import RayServicePool


@pytest.fixture(scope="module")
def pool(cluster: Nodes, lab: Path) -> Iterator[RayServicePool]:
    """A pool whose services are asked for."""
    with open_pool(lab) as made:
        yield made


def count(service: Any) -> int:
    """The number of calls that its instance has had."""
    found: int = service.call("lab", "count", [0])
    return found


def test_ids_are_states(pool: RayServicePool, lab: Path) -> None:
    alice, bob = pool.service("alice"), pool.service("bob/../alice %é")
    assert [count(alice), count(alice), count(bob), count(pool.service("alice"))] == [1, 2, 1, 3]
    assert pool.service("alice") is alice
    assert pool.services() == ["alice", "bob/../alice %é"]
    assert alice.identity == "alice"
    assert alice.modules.greeting.greeting("John") == "Hi, John"
    with open_pool(lab) as other:
        assert count(other.service("alice")) == 4, "whoever asks"
    assert count(alice) == 5, "it is not of the other pool"
    assert pool.close_service("alice")
    assert pool.close_service("bob/../alice %é")
    assert not pool.close_service("alice")
    assert count(pool.service("alice")) == 1
    assert pool.close_service("alice")


def test_an_instance_is_kept_after_a_trap(pool: RayServicePool) -> None:
    service = pool.service("trapped")
    assert count(service) == 1
    with pytest.raises(TrapError):
        service.call("lab", "trap", [0])
    assert count(service) == 3
    assert pool.close_service("trapped")


def test_a_state_that_is_gone_is_an_error(pool: RayServicePool) -> None:
    service = pool.service("mortal")
    with pytest.raises(WorkerDiedError) as caught:
        service.call("lab", "die", [0])
    assert caught.value.begun is None
    with pytest.raises(WorkerDiedError, match="the state of service `mortal` is gone") as caught:
        count(service)
    assert caught.value.begun is False
    with pytest.raises(
        WorkerDiedError, match=r'`close_service` forgets it, restart="fresh" begins with a new instance'
    ):
        pool.service("mortal")
    fresh = pool.service("mortal", restart="fresh")
    assert [count(fresh), count(pool.service("mortal")), count(fresh)] == [1, 2, 3]
    with pytest.raises(WorkerDiedError):
        fresh.call("lab", "die", [0])
    assert count(fresh) == 1, "it was asked for"
    assert pool.close_service("mortal")
    assert count(pool.service("mortal")) == 1
    assert pool.close_service("mortal")


def test_a_state_whose_end_nobody_noticed_is_gone_or_fresh_as_asked(pool: RayServicePool, lab: Path) -> None:
    service = pool.service("unnoticed")
    assert count(service) == 1
    (found,) = service.actors()
    os.kill(found.pid, signal.SIGKILL)
    until(lambda: not service.alive)
    with pytest.raises(WorkerDiedError, match="the state of service `unnoticed` is gone"):
        pool.service("unnoticed")
    assert count(pool.service("unnoticed", restart="fresh")) == 1
    assert pool.close_service("unnoticed")


def test_a_service_that_another_pool_ended_is_gone(pool: RayServicePool, lab: Path) -> None:
    with open_pool(lab) as other:
        assert count(other.service("shared")) == 1
        joined = pool.service("shared")
        assert count(joined) == 2
    with pytest.raises(WorkerDiedError):
        count(joined)
    with pytest.raises(WorkerDiedError, match="the state of service `shared` is gone"):
        pool.service("shared")
    pool.close_service("shared")
    assert count(pool.service("shared")) == 1
    assert pool.close_service("shared")


def test_a_busy_service_can_be_asked_for(pool: RayServicePool, lab: Path) -> None:
    busy = pool.service("busy").submit("lab", "nap", [12_000])
    until(busy.running)
    with open_pool(lab, start_timeout=60) as other:
        joined = other.service("busy")
        assert not busy.done()
        assert count(joined) == 1, "after the call that ran"
        until(busy.done)
    assert pool.close_service("busy")


def test_closed_services_are_forgotten(pool: RayServicePool) -> None:
    for number in range(2):
        with pool.service(f"brief-{number}") as service:
            assert count(service) == 1
    assert not [name for name in pool._services if name.startswith("brief")]


def test_detached_services_outlive_the_pool_and_others_do_not(pool: RayServicePool, lab: Path) -> None:
    with open_pool(lab) as other:
        assert count(other.service("kept", detached=True)) == 1
        assert count(other.service("ended")) == 1
    until(lambda: pool.services() == ["kept"])
    assert count(pool.service("kept", detached=True)) == 2
    assert count(pool.service("ended")) == 1
    assert pool.close_service("kept")
    assert pool.close_service("ended")
    assert pool.services() == []


def test_a_service_ends_after_its_time(pool: RayServicePool) -> None:
    service = pool.service("short", time_to_live=1)
    assert count(service) == 1
    until(lambda: pool.services() == [])
    with pytest.raises(WorkerDiedError):
        count(service)
    with pytest.raises(WorkerDiedError):
        pool.service("short")
    assert pool.close_service("short")


def test_a_host_function_that_hangs_ends_the_service(pool: RayServicePool) -> None:
    service = pool.service("hanging", time_to_live=600)
    future = service.submit("lab", "nap", [60_000], timeout=0.3)
    waits = service.submit("lab", "echo", [1])
    assert "ran longer than 0.3 s" in str(future.exception(LONG))
    assert type(waits.exception(LONG)) is WorkerDiedError
    assert pool.close_service("hanging")


@pytest.mark.parametrize("identity", ["", 7, None, [], b"x", "\ud800", "é" * 100])
def test_what_is_no_id_is_refused(pool: RayServicePool, identity: Any) -> None:
    for ask in (pool.service, pool.close_service):
        with pytest.raises(ArgumentError, match=r"^the id of a service must "):
            ask(identity)


@pytest.mark.parametrize("identity", [".", "..", "/", "\0", "a\nb", "%2F", " ", "marine/x", "A", "a", "\U0001f600"])
def test_every_text_is_an_id_of_its_own(pool: RayServicePool, identity: str) -> None:
    from marine_runtime.ray.sticky import actor_name

    name = actor_name(pool._source.artifact, identity)
    prefix, _, encoded = name.rpartition("/")
    assert prefix == f"marine/{pool._source.artifact.key}"
    assert encoded.isascii()
    assert encoded.isprintable()
    assert unquote(encoded) == identity


def test_ids_cannot_reach_other_actors(pool: RayServicePool) -> None:
    import ray

    @ray.remote(num_cpus=0)
    class Other:
        def call(self) -> int:
            return 1

    other = Other.options(name="other", namespace="marine").remote()
    assert ray.get(other.call.remote()) == 1
    for identity in ("other", "/other", "../other", "../../other", "%2F..%2Fother"):
        assert count(pool.service(identity)) == 1
        assert pool.close_service(identity)
    assert ray.get(other.call.remote()) == 1
    assert pool.services() == []
    with pytest.raises(ArgumentError, match="unknown restart"):
        pool.service("x", restart="again")  # type: ignore[arg-type]

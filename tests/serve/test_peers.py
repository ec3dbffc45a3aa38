"""Two processes of one server: here two servers of this process that share the directory of their sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.test_calls import problem
from tests.support.pools import lab
from tests.support.served import Served, patiently, served


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """The two servers."""
    with served(lab(), peers=tmp_path) as one, served(lab(), peers=tmp_path) as two:
        yield one, two


def test_an_instance_is_found_from_either(pair: tuple[Served, Served]) -> None:
    one, two = pair
    with one.client() as here, two.client() as there:
        identifier = there.post("/instances").json()["id"]
        path = f"/instances/{identifier}"
        for turn, client in enumerate((here, there, here), 1):
            found = client.post(f"{path}/lab/count", json=[0], headers={"X-Request-Id": "r"})
            assert found.json() == turn
            assert found.headers["x-request-id"] == "r"
        found = here.post(f"{path}/lab/trap", json=[0])
        assert problem(found, "trap")["request"] == found.headers["x-request-id"]
        problem(here.post(f"{path}/lab/count", json=["x"]), "argument")
        problem(here.post(f"{path}/lab/nothing", json=[0]), "not-found")
        assert here.get(path).json()["id"] == identifier
        assert [item["id"] for item in here.get("/instances").json()["instances"]] == [identifier]
        assert here.delete(path).status_code == 200
        problem(there.get(path), "not-found")


def test_figures_are_those_of_both(pair: tuple[Served, Served]) -> None:
    one, two = pair
    with one.client() as here, two.client() as there:
        here.post("/lab/echo", json=[1])
        there.post("/lab/echo", json=[1])
        for client in (here, there):
            found = client.get("/figures").json()
            assert found["processes"] == 2
            assert found["functions"][0]["codes"] == {"ok": 2}
        assert 'marine_calls_total{code="ok",function="echo",module="lab"} 2.0' in here.get("/metrics").text


def test_a_client_that_goes_away_cancels_a_call_of_the_other(pair: tuple[Served, Served]) -> None:
    import httpx

    one, two = pair
    with two.client() as there, one.client() as here:
        identifier = there.post("/instances").json()["id"]
        with pytest.raises(httpx.ReadTimeout):
            here.post(f"/instances/{identifier}/endless/spin", json=[], timeout=0.5)
        patiently(lambda: two.application.figures.cancelled == 1)
        assert there.post(f"/instances/{identifier}/lab/echo", json=[1]).json() == 1


def test_a_process_that_is_gone_is_not_waited_for(pair: tuple[Served, Served], tmp_path: Path) -> None:
    one, _ = pair
    gone = tmp_path / "0123abcd.sock"
    gone.touch()
    with one.client() as here:
        problem(here.post("/instances/0123abcd-x/lab/count", json=[0]), "not-found")
        assert not gone.exists()
        for name in ("../../etc/passwd", "....", "0123abcd", "zzzzzzzz-x", "-"):
            problem(here.get(f"/instances/{name.replace('/', '%2f')}"), "not-found")


def test_counters_do_not_fall_when_a_process_ends(tmp_path: Path) -> None:
    with served(lab(), peers=tmp_path) as one, one.client() as here:
        with served(lab(), peers=tmp_path) as two, two.client() as there:
            for client in (here, there):
                assert client.post("/lab/echo", json=[1]).status_code == 200
            problem(there.post("/lab/trap", json=[0]), "trap")
            (socket,) = tmp_path.glob(f"{two.application.peers.name}.sock")
            assert here.get("/figures").json()["processes"] == 2
            socket.rename(tmp_path / "hidden")  # as one that does not answer in time
            before = here.get("/figures").json()
            socket.with_name("hidden").rename(socket)
            assert there.post("/lab/echo", json=[1]).status_code == 200
        after = here.get("/figures").json()
    for found, calls in ((before, 2), (after, 3)):
        assert found["processes"] == 1
        echo, trap = found["functions"]
        assert (echo["codes"], trap["codes"]) == ({"ok": calls}, {"trap": 1})
        assert sum(echo["buckets"]) == calls
        assert found["copies_replaced"] == 1


def test_a_busy_process_keeps_its_socket(pair: tuple[Served, Served], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair
    with one.client() as here, two.client() as there:
        path = f"/instances/{there.post('/instances').json()['id']}"

        async def connect(_: Path) -> None:
            raise BlockingIOError

        with monkeypatch.context() as context:
            context.setattr("asyncio.open_unix_connection", connect)
            problem(here.get(path), "busy")
        assert here.get(path).status_code == 200

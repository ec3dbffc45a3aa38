"""An application below a path of another one, several of one process, and one that starts more than once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from marine_gen.serve import app
from marine_gen.serve.paths import raw_path
from tests.serve.test_calls import problem
from tests.support.engines import guests


@asynccontextmanager
async def client_of(application: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application without a server."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("root", "path", "wanted"),
    [
        ("", "/m/f", "/m/f"),
        ("/api", "/api/m/f", "/m/f"),
        ("/api", "/%61pi/m/%66", "/m/%66"),
        ("/a b/ü", "/a%20b/%C3%BC/m/f", "/m/f"),
        ("/api", "/api/api/f", "/api/f"),
        ("/api", "/m/f", "/m/f"),  # a proxy has taken the prefix off
        ("/a/b", "/a%2Fb/m/f", "/a%2Fb/m/f"),
        ("/api", "/apia/m/f", "/apia/m/f"),
        ("/api", "/api/", "/"),
    ],
)
def test_paths_below_a_mount_point(root: str, path: str, wanted: str) -> None:
    assert raw_path({"root_path": root, "raw_path": path.encode(), "path": ""}) == wanted.encode()


def test_an_event_loop_of_another_library() -> None:
    """As trio's, on which hypercorn can run applications."""
    told = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    with pytest.raises(StopIteration):
        app(guests("greeting"))({"type": "lifespan"}, receive, send).send(None)
    assert [item["type"] for item in told] == ["lifespan.startup.failed"]
    assert "an event loop of asyncio alone" in told[0]["message"]


def test_two_applications_tell_their_own_paths() -> None:
    one, two = app(guests("greeting")), app(guests("donkey"))
    outer = Starlette(routes=[Mount("/a b", one), Mount("/two", two)])

    async def main() -> None:
        async with one, two, client_of(outer) as client:
            assert (await client.post("/a%20b/greeting/greeting", json=["x"])).json() == "Hi, x"
            assert (await client.post("/%61%20b/greeting/greeting", json=["x"])).json() == "Hi, x"
            assert (await client.post("/two/donkey/greeting", json=["x"])).json() == "Donkey: hi, x"
            problem(await client.post("/two/greeting/greeting", json=["x"]), "not-found")
            assert (await client.get("/two/openapi.json")).json()["servers"] == [{"url": "/two"}]
            assert (await client.get("/a%20b/openapi.json")).json()["servers"] == [{"url": "/a%20b"}]
            made = await client.post("/a%20b/instances")
            place = made.headers["location"]
            assert place == f"/a%20b/instances/{made.json()['id']}"
            assert (await client.post(f"{place}/greeting/greeting", json=["y"])).json() == "Hi, y"
            assert "donkey" not in (await client.get("/a%20b/metrics")).text

    asyncio.run(main())


def test_it_starts_once_more_after_its_end() -> None:
    inner = app(guests("bench_effector"))
    long = "x" * 50_000  # it is converted on a thread

    async def main() -> None:
        async with inner, client_of(inner) as client:
            assert (await client.get("/ready")).status_code == 200
            assert (await client.post("/bench_effector/echo", json=[long])).json() == long
        async with client_of(inner) as client:
            problem(await client.post("/bench_effector/echo", json=["x"]), "closing")
            problem(await client.get("/ready"), "closing")

    for _ in range(2):
        asyncio.run(main())


def test_a_service_that_can_not_be_loaded_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    inner = app("nowhere.wasm")

    async def main() -> None:
        async with client_of(inner) as client:
            for _ in range(2):
                found = problem(await client.post("/nowhere/f", json=[]), "internal")
                assert "nowhere.wasm" not in found["detail"]

    asyncio.run(main())
    assert "nowhere.wasm" in caplog.text


def test_web_sockets_are_refused() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(guests("greeting"))({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close"}]

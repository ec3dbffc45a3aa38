"""Calls that are answered directly, on the event loop or on threads, and those that take the way through a task."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

import marine_gen.serve
from marine_gen.serve import Access
from marine_gen.serve.direct import DirectCalls
from marine_gen.serve.functions import Function
from marine_runtime import ConfigError
from tests.serve.test_calls import problem
from tests.support.engines import guests
from tests.support.served import Served, patiently, served

INLINE = frozenset({"greeting.greeting", "lab.trap", "bench_effector.echo_bytes"})
HEAD = b"POST /greeting/greeting HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
TOKEN = "0123456789abcdef-token"


@pytest.fixture(scope="module", params=["inline", "threads"])
def inline(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server that runs some functions on its loop, and one that runs all on threads."""
    with served(inline=INLINE if request.param == "inline" else frozenset()) as server:
        yield server


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that have been called directly."""
    calls: list[str] = []
    answer = DirectCalls.answer

    def spy(self: DirectCalls, function: Any, *given: Any) -> Any:
        calls.append(function.key)
        return answer(self, function, *given)

    monkeypatch.setattr(DirectCalls, "answer", spy)
    return calls


def responses(server: Served, *parts: bytes, count: int) -> list[tuple[int, bytes]]:
    """Status and body of what comes back for a request in parts."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        for part in parts:
            sock.sendall(part)
            time.sleep(0.05)
        found, data = list[tuple[int, bytes]](), b""
        while len(found) < count:
            while (end := data.find(b"\r\n\r\n")) < 0:
                data += sock.recv(65536)
            head, data = data[:end], data[end + 4 :]
            length = int(head.partition(b"content-length: ")[2].split(b"\r")[0])
            while len(data) < length:
                data += sock.recv(65536)
            found.append((int(head.split()[1]), data[:length]))
            data = data[length:]
    return found


def test_a_whole_request_is_answered_directly(inline: Served, direct: list[str]) -> None:
    with inline.client() as client:
        client.post("/greeting/greeting", json=["learnt"])
        found = client.post("/greeting/greeting", json=["x"], headers={"X-Request-Id": "mine"})
        assert (found.json(), found.headers["x-request-id"]) == ("Hi, x", "mine")
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "date" in found.headers
        problem(client.post("/greeting/greeting", json=[7]), "argument")
        problem(client.post("/greeting/greeting", content=b"[", headers={"Content-Type": "application/json"}), "json")
        assert client.post("/lab/%65cho", json=[3]).json() == 3  # a path that was not asked for before
    assert direct == ["greeting.greeting"] * 3


def test_failures_of_guests_leave_the_loop_alone(inline: Served, direct: list[str]) -> None:
    with inline.client() as client:
        for _ in range(3):
            problem(client.post("/lab/trap", json=[1]), "trap")
            assert client.post("/greeting/greeting", json=["y"]).json() == "Hi, y"
    assert "lab.trap" in direct


def test_requests_in_parts_and_in_a_row(inline: Served, direct: list[str]) -> None:
    one = HEAD + b'Content-Length: 5\r\n\r\n["%d"]'
    responses(inline, one % 0, count=1)
    direct.clear()
    row = b"".join(one % number for number in range(5))
    assert responses(inline, row, count=5) == [(200, b'"Hi, %d"' % number) for number in range(5)]
    # What waits for the response of a call on a thread takes the way through a task.
    assert len(direct) == (5 if inline.application.backend.runs_inline(greeting_of(inline)) else 1)
    for cut in (10, len(HEAD), len(one) - 3, len(one) + 20):  # in the head, in the body, in the next request
        parts = row[:cut], row[cut:]
        assert responses(inline, *parts, count=5) == [(200, b'"Hi, %d"' % number) for number in range(5)]
    waits = HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert responses(inline, HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n["7"]\r\n0\r\n\r\n', count=1)[0][0] == 200
    assert b"100 Continue" in raw_first(inline, waits)


def greeting_of(server: Served) -> Function:
    """The function that most of these requests call."""
    return server.application.backend.functions["greeting", "greeting"]


def test_a_client_that_goes_away_stops_its_call(inline: Served, direct: list[str]) -> None:
    """Nobody is answered, the call is counted, and its thread is free again."""
    one = HEAD.replace(b"greeting/greeting", b"endless/spin") + b"X-Marine-Timeout: 60\r\nContent-Length: 2\r\n\r\n[]"
    figures = inline.application.figures
    responses(inline, one.replace(b": 60", b": 0.01"), count=1)
    before = figures.cancelled
    for _ in range(3):  # more than there are threads
        host, port = inline.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            sock.sendall(one)
            patiently(lambda: figures.running > 0)
        patiently(lambda: figures.running == 0)
    assert figures.cancelled - before == 3
    assert direct == ["endless.spin"] * 3
    with inline.client() as client:
        assert client.post("/greeting/greeting", json=["y"]).json() == "Hi, y"


def test_large_arguments_and_results_leave_the_loop(inline: Served) -> None:
    text = "x" * 40_000
    with inline.client() as client:
        for _ in range(2):
            assert client.post("/greeting/greeting", json=[text]).json() == f"Hi, {text}"
            assert client.post("/bench_effector/echo_bytes", json=[[7] * 3]).json() == [7] * 3
            octets = {"Content-Type": "application/octet-stream"}
            found = client.post("/bench_effector/echo_bytes", content=bytes(33_000), headers=octets)
            assert found.json() == [0] * 33_000


def test_trailers_are_no_head_fields() -> None:
    with served(guests("greeting"), access=Access(TOKEN)) as server:
        with server.client() as client:
            right = {"Authorization": f"Bearer {TOKEN}"}
            assert client.post("/greeting/greeting", json=["x"], headers=right).json() == "Hi, x"
        trailed = b'Transfer-Encoding: chunked\r\n\r\n5\r\n["7"]\r\n0\r\nAuthorization: Bearer %b\r\n\r\n'
        assert responses(server, HEAD + trailed % TOKEN.encode(), count=1)[0][0] == 401


def test_idle_connections_are_closed() -> None:
    with served(guests("greeting"), limits={"idle_time": 1.0}) as server:
        one = HEAD + b'Content-Length: 5\r\n\r\n["1"]'
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as sock:
            for _ in range(3):
                sock.sendall(one)
                assert sock.recv(65536).endswith(b'"Hi, 1"')
            assert sock.recv(65536) == b""


def raw_first(server: Served, data: bytes) -> bytes:
    """The first bytes that come back."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(data)
        return sock.recv(65536)


def test_guards_hold_for_direct_calls(direct: list[str]) -> None:
    with served(
        guests("greeting"), inline=frozenset({"greeting.greeting"}), access=Access(TOKEN), limits={"body": 64}
    ) as server:
        right = {"Authorization": f"Bearer {TOKEN}"}
        with server.client() as client:
            assert client.post("/greeting/greeting", json=["x"], headers=right).json() == "Hi, x"
            direct.clear()
            problem(client.post("/greeting/greeting", json=["x"]), "token")
            evil = {**right, "Origin": "https://evil.example"}
            problem(client.post("/greeting/greeting", json=["x"], headers=evil), "origin")
            plain = {**right, "Content-Type": "text/plain"}
            problem(client.post("/greeting/greeting", content=b'["x"]', headers=plain), "media-type")
            problem(client.post("/greeting/greeting", json=["x" * 100], headers=right), "body-size")
            assert client.post("/greeting/greeting", json=["x"], headers=right).json() == "Hi, x"
        statuses = dict(server.application.figures.statuses)
    assert len(direct) == 5
    assert statuses == {200: 2, 401: 1, 403: 1, 415: 1, 413: 1}


def test_a_client_that_reads_nothing_gets_no_more(inline: Served) -> None:
    octets = b"Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n"
    head = b"POST /bench_effector/echo_bytes HTTP/1.1\r\nHost: localhost\r\n" + octets
    one = head + b"Content-Length: 100000\r\n\r\n" + bytes(100_000)
    found = responses(inline, one, one * 30, count=31)
    assert found == [(200, bytes(100_000))] * 31


def test_short_functions_are_found_by_measurement() -> None:
    with served(inline="auto") as server, server.client() as client:
        for _ in range(200):
            client.post("/lab/echo", json=[1])
        client.post("/lab/nap", json=[5])
        assert not server.application.backend._choice.inline("lab.nap")


def test_inline_functions_that_do_not_exist_are_refused() -> None:
    async def start() -> None:
        async with marine_gen.serve.app(guests("greeting"), inline=frozenset({"greeting.greting"})):
            pass

    wanted = r"no function `greeting\.greting` to run inline: .*; did you mean `greeting\.greeting`\?"
    with pytest.raises(ConfigError, match=wanted):
        asyncio.run(start())

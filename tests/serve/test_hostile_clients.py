"""Clients that are slow, greedy or rude: the others do not notice."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.serve.test_process import GREETING
from tests.support.engines import guests
from tests.support.served import Served, patiently, served, serving

HEAD = b"POST /greeting/greeting HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def impatient() -> Iterator[Served]:
    """A server with little patience."""
    limits = {"header_time": 0.5, "body_time": 0.7, "idle_time": 1.0, "connections": 50, "header_size": 8192}
    with served(guests("greeting", "bench_effector"), limits=limits) as server:
        yield server


def connect(server: Served) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def answer(sock: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    found = b""
    with suppress(ConnectionError):
        while part := sock.recv(65536):
            found += part
    return found


def still_serves(server: Served) -> None:
    """A client that is served; on a busy machine it may be too slow for this server at first."""

    def served_well() -> bool:
        try:
            with server.client() as client:
                return bool(client.post("/greeting/greeting", json=["x"]).json() == "Hi, x")
        except httpx.TransportError:
            return False

    patiently(served_well)


def test_a_head_that_drips_is_not_waited_for(impatient: Served) -> None:
    with connect(impatient) as sock:
        started = time.monotonic()
        with suppress(ConnectionError):
            for byte in HEAD * 10:
                sock.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - started < 5
    still_serves(impatient)


def test_silence_is_not_waited_for(impatient: Served) -> None:
    with connect(impatient) as sock:
        started = time.monotonic()
        assert answer(sock) == b""
        assert time.monotonic() - started < 5


def test_a_body_that_does_not_come_is_told(impatient: Served) -> None:
    with connect(impatient) as sock:
        sock.sendall(HEAD + b"Content-Length: 100\r\n\r\n[")
        found = answer(sock)
        assert found.startswith(b"HTTP/1.1 408")
        assert b'"slow"' in found
    still_serves(impatient)


def test_a_second_head_that_drips_is_not_waited_for(impatient: Served) -> None:
    with connect(impatient) as sock:
        sock.sendall(HEAD + b'Content-Length: 5\r\n\r\n["x"]')
        assert b"Hi, x" in sock.recv(65536)
        sock.sendall(HEAD)
        started = time.monotonic()
        answer(sock)
        assert time.monotonic() - started < 5


def test_huge_heads_are_refused(impatient: Served) -> None:
    with connect(impatient) as sock:
        sock.sendall(HEAD + b"X: " + b"x" * 20_000)
        assert answer(sock).startswith(b"HTTP/1.1 431")
    with connect(impatient) as sock:
        sock.sendall(HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(1500)))
        assert answer(sock).startswith(b"HTTP/1.1 431")
    still_serves(impatient)


def test_a_body_without_end_is_cut_off(impatient: Served) -> None:
    with connect(impatient) as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
        try:
            for _ in range(1000):
                sock.sendall(chunk)
            pytest.fail("64 MB were taken")
        except ConnectionError:
            pass
    still_serves(impatient)


def test_a_client_that_reads_nothing_is_dropped(impatient: Served) -> None:
    with connect(impatient) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        octets = b"Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n"
        head = b"POST /bench_effector/echo_bytes HTTP/1.1\r\nHost: localhost\r\n" + octets
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % (8 << 20) + bytes(8 << 20))
        patiently(lambda: impatient.connections.open == 0, 10)
    still_serves(impatient)


def test_a_disconnect_in_a_body_is_no_failure(impatient: Served) -> None:
    before = impatient.application.figures.statuses.get(499, 0)
    for _ in range(20):
        with connect(impatient) as sock:
            sock.sendall(HEAD + b"Content-Length: 100\r\n\r\n[")
    patiently(lambda: impatient.application.figures.statuses.get(499, 0) - before == 20)
    still_serves(impatient)


def test_more_connections_than_are_allowed(impatient: Served) -> None:
    with ExitStack() as stack:
        for _ in range(120):
            stack.enter_context(connect(impatient))
        patiently(lambda: impatient.connections.open <= 51)
        still_serves(impatient)


def test_bodies_that_do_not_come_keep_nobody_out(impatient: Served) -> None:
    with ExitStack() as stack:
        for _ in range(70):
            sock = stack.enter_context(connect(impatient))
            with suppress(ConnectionError):
                sock.sendall(HEAD + b"Content-Length: 100\r\n\r\n[")
        still_serves(impatient)
        assert impatient.connections.open <= 51


@pytest.mark.slow
def test_as_many_idle_connections_as_descriptors_allow() -> None:
    """The server may have 256 descriptors, and gets more connections than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"
    with serving(GREETING, "--max-connections", "100000", before=command) as server, ExitStack() as stack:
        host, port = server.url.removeprefix("http://").split(":")
        for number in range(400):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
            if number % 100 == 0:
                with server.client() as client:
                    assert client.post("/greeting/greeting", json=["x"]).json() == "Hi, x"
        with server.client() as client:
            assert client.post("/greeting/greeting", json=["y"]).json() == "Hi, y"
        assert server.process.poll() is None
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)

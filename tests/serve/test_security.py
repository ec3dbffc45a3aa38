"""Access: hosts, origins, content types, tokens, addresses; and nothing but the service can be reached."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from marine_gen.serve import Access, Settings
from marine_gen.serve.server import Address, check_exposure
from marine_runtime import ConfigError
from tests.serve.test_calls import problem
from tests.support.engines import guests
from tests.support.served import Served, served

TOKEN = "0123456789abcdef-token"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """A server with a token."""
    with served(guests("greeting"), access=Access(TOKEN)) as server:
        yield server


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "a@127.0.0.1",
        "127.0.0.1:x",
        "127.0.0.1/x",
    ],
)
def test_names_that_a_page_may_have_bound_are_refused(client: httpx.Client, host: str) -> None:
    problem(client.post("/greeting/greeting", json=["x"], headers={"Host": host}), "host")
    problem(client.get("/", headers={"Host": host}), "host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8", "192.0.2.1", "localhost."])
def test_names_that_no_page_can_have_are_fine(client: httpx.Client, host: str) -> None:
    assert client.post("/greeting/greeting", json=["x"], headers={"Host": host}).status_code == 200


def test_pages_of_other_origins_are_refused(client: httpx.Client, shared: Served) -> None:
    own = shared.url
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "file://", f"{own}.evil.example", "x"):
        problem(client.post("/greeting/greeting", json=["x"], headers={"Origin": origin}), "origin")
    for site in ("cross-site", "same-site"):
        problem(client.post("/greeting/greeting", json=["x"], headers={"Sec-Fetch-Site": site}), "origin")
    found = client.post("/greeting/greeting", json=["x"], headers={"Origin": own, "Sec-Fetch-Site": "same-origin"})
    assert found.status_code == 200
    assert not [name for name in found.headers if name.startswith("access-control")]
    problem(client.options("/greeting/greeting", headers={"Origin": "https://evil.example"}), "origin")
    problem(client.options("/greeting/greeting"), "method")


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/json; charset=latin-1",
        "application/json; bytes=hex",
    ],
)
def test_bodies_that_a_form_can_send_are_refused(client: httpx.Client, kind: str) -> None:
    problem(client.post("/greeting/greeting", content=b'["x"]', headers={"Content-Type": kind}), "media-type")
    problem(client.post("/batch", content=b"[]", headers={"Content-Type": kind}), "media-type")


def test_a_body_without_a_type_is_refused(client: httpx.Client) -> None:
    problem(client.post("/greeting/greeting", content=b'["x"]'), "media-type")


def test_tokens(guarded: Served) -> None:
    with guarded.client() as client:
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN}):
            for method, path in (
                ("POST", "/greeting/greeting"),
                ("GET", "/metrics"),
                ("GET", "/openapi.json"),
                ("GET", "/instances"),
                ("POST", "/batch"),
                ("GET", "/x"),
            ):
                found = client.request(
                    method, path, headers={**JSON, **wrong}, content=b'["x"]' if method == "POST" else b""
                )
                problem(found, "token")
                assert found.headers["www-authenticate"].startswith("Bearer")
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert client.post("/greeting/greeting", json=["x"], headers=right).json() == "Hi, x"
        assert client.post("/greeting/greeting", json=["y"]).status_code == 401
        for path in ("/health", "/ready", "/", "/page.js", "/docs"):
            assert client.get(path).status_code == 200
        found = client.post("/greeting/greeting", json=["x"], headers={**right, "Host": "any.example"})
        assert found.status_code == 200
        assert "token" in client.get("/openapi.json", headers=right).json()["components"]["securitySchemes"]


@pytest.mark.parametrize("token", ["short", "x" * 15, "with a space in it somewhere", "ünïcödé-is-not-ascii"])
def test_tokens_that_can_be_guessed_or_not_sent_are_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="token"):
        Access(token)


def test_names_that_were_allowed() -> None:
    with (
        served(guests("greeting"), access=Access(hosts=frozenset({"Marine.Example"}))) as server,
        server.client() as client,
    ):
        assert client.post("/greeting/greeting", json=["x"], headers={"Host": "marine.example:8"}).status_code == 200
        problem(client.get("/", headers={"Host": "other.example"}), "host")


def test_other_machines_need_a_token_or_consent() -> None:
    open_settings, closed = Settings("x"), Settings("x", access=Access(TOKEN))
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        check_exposure(Address(host), open_settings, no_auth=False)
    for host in ("0.0.0.0", "::", "192.0.2.1", "some.example", ""):
        with pytest.raises(ConfigError, match="--no-auth"):
            check_exposure(Address(host), open_settings, no_auth=False)
        check_exposure(Address(host), open_settings, no_auth=True)
        check_exposure(Address(host), closed, no_auth=False)


def raw(server: Served, data: bytes) -> bytes:
    """The answer to bytes that no well-behaved client sends."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while part := sock.recv(65536):
            found += part
    return found


@pytest.mark.parametrize(
    "path",
    [
        b"/../../../../etc/passwd",
        b"/page.css/../../settings.py",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"//etc/passwd",
        b"/settings.py",
        b"/..%5c..%5csettings.py",
        b"/page.css%00.html",
    ],
)
def test_no_other_file_can_be_reached(shared: Served, path: bytes) -> None:
    found = raw(shared, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert found.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), found
    assert b"root:" not in found


def test_doubled_fields_are_refused(shared: Served) -> None:
    fields = (b"Host: localhost", b"Host: evil.example", b"Connection: close", b"Content-Length: 0")
    head = b"POST /greeting/greeting HTTP/1.1\r\n" + b"\r\n".join(fields) + b"\r\n\r\n"
    assert b'"code": "request"' in raw(shared, head)


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50 + b"\x00"]
)
def test_what_is_no_http_gets_a_problem(shared: Served, data: bytes) -> None:
    found = raw(shared, data)
    assert found.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in found


def talk(server: Served, *parts: bytes) -> bytes:
    """The answers to bytes that are sent in parts, the last request of which closes the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            sock.sendall(part)
            time.sleep(0.02)
        found = b""
        while part := sock.recv(65536):
            found += part
    return found


_OFFER = (
    "Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
)
_PLAIN = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_HIDDEN = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("cut", [0, 20, 230, 10_000])
def test_another_protocol_that_is_offered_is_ignored(shared: Served, cut: int) -> None:
    fields = f"{_OFFER}Content-Type: application/json\r\nContent-Length: 5\r\n\r\n"
    data = f'POST /greeting/greeting HTTP/1.1\r\n{fields}["x"]'.encode()
    found = talk(shared, data[:cut], data[cut:] + _PLAIN)
    assert [part.partition(b" ")[0] for part in found.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200"]
    assert b'"Hi, x"' in found
    assert b'{"status":"ok"}' in found


def test_a_body_behind_an_offer_is_not_the_next_request(shared: Served) -> None:
    fields = f"{_OFFER}Content-Type: application/octet-stream\r\nContent-Length: {len(_HIDDEN)}\r\n\r\n"
    found = talk(shared, f"POST /bench_effector/echo_bytes HTTP/1.1\r\n{fields}".encode() + _HIDDEN, _PLAIN)
    assert found.count(b"HTTP/1.1 200") == 2
    assert b"ready" not in found


def test_a_tunnel_is_refused(shared: Served) -> None:
    assert raw(shared, b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("field", "code"), [("Content-Encoding: gzip", "media-type"), ("Transfer-Encoding: gzip, chunked", "request")]
)
def test_compressed_bodies_are_refused(shared: Served, field: str, code: str) -> None:
    fields = "Host: localhost\r\nConnection: close\r\nContent-Type: application/octet-stream"
    data = "5\r\n12345\r\n0\r\n\r\n" if "chunked" in field else "12345"
    length = "" if "chunked" in field else "Content-Length: 5\r\n"
    found = raw(
        shared, f"POST /bench_effector/echo_bytes HTTP/1.1\r\n{fields}\r\n{field}\r\n{length}\r\n{data}".encode()
    )
    assert f'"code": "{code}"'.encode() in found
    if "chunked" not in field:  # a request without a body has none to refuse
        assert talk(shared, f"GET /health HTTP/1.1\r\n{fields}\r\n{field}\r\n\r\n".encode())[9:12] == b"200"

"""Calls over HTTP: JSON by position and by name, octets, forms of JSON, options, problems."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

import marine_gen
from marine_gen.wire.problems import KINDS
from tests.support.engines import guests
from tests.support.pools import host_functions
from tests.support.served import patiently, served, service

ARGUMENTS = "/arguments_passing_effector"


def problem(response: httpx.Response, code: str) -> dict[str, Any]:
    """The problem document of a response, which has to have this code."""
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["code"] == code, document
    assert document["status"] == response.status_code == KINDS[code].status
    assert document["type"] == f"urn:marine-gen:problem:{code}"
    assert "Traceback" not in response.text
    return document


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/greeting/greeting", ["John"]),
        ("/greeting/greeting", {"name": "Jörg 🐢"}),
        ("/greeting/greeting", "bare"),
        ("/greeting/greeting", [["wrapped"]]),
        ("/greeting_record/greeting_record", []),
        ("/greeting_record/greeting_record", None),
        ("/greeting_record/void_fn", {}),
        ("/records_pure/invoke", []),
        (f"{ARGUMENTS}/u64_type", [2**64 - 1]),
        (f"{ARGUMENTS}/i64_type", [-(2**63)]),
        (f"{ARGUMENTS}/f64_type", [-0.0]),
        (f"{ARGUMENTS}/bytearray_type", [[0, 255, 7]]),
    ],
)
def test_calls_are_those_of_call_json(client: httpx.Client, path: str, arguments: Any) -> None:
    _, module, function = path.split("/")
    with marine_gen.load(service(), host_functions=host_functions()) as local:
        wanted = local.call_json(module, function, json.dumps(arguments))
    response = client.post(path, json=arguments)
    assert response.status_code == 200, response.text
    assert response.text == wanted
    assert response.headers["content-type"] == "application/json"


def test_an_empty_body_is_no_arguments(client: httpx.Client) -> None:
    assert client.post("/greeting_record/void_fn").text == "null"
    problem(client.post("/greeting/greeting"), "argument")


def test_octets_in_and_out(client: httpx.Client) -> None:
    data = bytes(range(256)) * 50
    path, octets = "/bench_effector/echo_bytes", "application/octet-stream"
    both = client.post(path, content=data, headers={"Content-Type": octets, "Accept": octets})
    assert (both.content, both.headers["content-type"]) == (data, octets)
    text = client.post(path, content=data, headers={"Content-Type": octets})
    assert text.json() == list(data)
    assert client.post(path, json=[list(data)], headers={"Accept": octets}).content == data
    either = client.post(path, json=[[1]], headers={"Accept": f"{octets};q=0.5, application/json"})
    assert either.json() == [1]
    problem(client.post("/greeting/greeting", content=b"x", headers={"Content-Type": octets}), "media-type")
    problem(client.post("/greeting/greeting", json=["x"], headers={"Accept": octets}), "not-acceptable")
    problem(client.post("/greeting/greeting", json=["x"], headers={"Accept": "text/html"}), "not-acceptable")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (",", "[1]"),
        ("application/json;bytes=hex, application/json;q=0.1", "[1]"),
        ("application/json;bytes=base64;q=0.2, application/json;q=0.8", "[1]"),
        ("application/json;bytes=hex", None),
        ("application/json;q=nan", None),
        ("application/json;bytes=array;int64=text", None),
    ],
)
def test_odd_ranges_are_accepted_or_not(client: httpx.Client, accept: str, wanted: str | None) -> None:
    response = client.post("/bench_effector/echo_bytes", json=[[1]], headers={"Accept": accept})
    if wanted is None:
        problem(response, "not-acceptable")
    else:
        assert response.text == wanted


@pytest.mark.parametrize("kind", ["application/json; bytes=hex", "application/json; int64=text"])
def test_forms_that_are_not_known_are_refused(client: httpx.Client, kind: str) -> None:
    response = client.post("/bench_effector/echo_bytes", content=b"[[1]]", headers={"Content-Type": kind})
    assert " or `" in problem(response, "media-type")["detail"]


def test_base64_in_place_of_numbers(client: httpx.Client) -> None:
    kind = "application/json; bytes=base64"
    path = "/bench_effector/echo_bytes"
    response = client.post(path, content=b'["AAH/"]', headers={"Content-Type": kind})
    assert (response.text, response.headers["content-type"]) == ('"AAH/"', kind)
    response = client.post(path, json={"data": [1, 2]}, headers={"Accept": kind})
    assert response.text == '"AQI="'
    response = client.post(path, content=b'["AAH/"]', headers={"Content-Type": kind, "Accept": "application/json"})
    assert response.json() == "AAH/"
    headers = {"Content-Type": kind, "Accept": "application/json; bytes=array"}
    assert client.post(path, content=b'["AAH/"]', headers=headers).json() == [0, 1, 255]
    found = problem(client.post(path, content=b'["%"]', headers={"Content-Type": kind}), "argument")
    assert found["path"] == "$.data"
    problem(client.post(path, content=b'["AQI="]', headers={"Content-Type": "application/json"}), "argument")


def test_64_bit_integers_as_strings(client: httpx.Client) -> None:
    path = f"{ARGUMENTS}/u64_type"
    big = 2**64 - 9
    plain = client.post(path, json=[big]).text
    assert int(plain) > 2**60
    assert client.post(path, json=[str(big)]).text == plain
    text = client.post(path, json=[big], headers={"Accept": "application/json; int64=string"})
    assert text.text == f'"{plain}"'
    accept = "application/json;int64=string;bytes=base64"
    record = client.post("/records_pure/invoke", json=[], headers={"Accept": accept}).json()
    assert {type(record[name]) for name in ("field_4", "field_8", "field_11", "field_12")} == {str}
    assert {type(record[name]) for name in ("field_3", "field_7")} == {int}
    problem(client.post(path, json=[str(2**64)]), "argument")
    problem(client.post(path, json=["12x"]), "argument")
    problem(client.post(f"{ARGUMENTS}/u32_type", json=["1"]), "argument")


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b"{", "json", None),
        (b"\xff", "json", None),
        (b"[NaN]", "json", None),
        (b"[" * 100_000, "json", None),
        (b"[" * 65 + b"]" * 65, "json", None),
        (b'{"nom": "x"}', "argument", "$"),
        (b"[1, 2]", "argument", "$"),
        (b'[{"a": []}]', "argument", "$.name"),
        (b'["\\ud800"]', "argument", "$.name"),
        (b"[7]", "argument", "$.name"),
    ],
)
def test_bad_arguments_are_told_with_their_place(
    client: httpx.Client, body: bytes, code: str, path: str | None
) -> None:
    response = client.post("/greeting/greeting", content=body, headers={"Content-Type": "application/json"})
    assert problem(response, code).get("path") == path


def test_failures_of_guests(client: httpx.Client) -> None:
    found = problem(client.post("/lab/trap", json=[1]), "trap")
    assert found["site"]["module"] == "lab"
    assert found["site"]["function"] == "trap"
    found = problem(client.post("/endless/spin", json=[], headers={"X-Marine-Timeout": "0.2"}), "timeout")
    found = problem(client.post("/lab/blow", json=[0]), "host-function")
    assert "ValueError" in found["detail"]
    assert "blown" not in str(found)
    problem(client.post("/trap_chain/nothing", json=[]), "not-found")
    problem(client.post("/nothing/nothing", json=[]), "not-found")


def test_a_memory_limit_is_insufficient_storage() -> None:
    from marine_runtime import ServiceConfig
    from tests.support.engines import guests

    options = {"config": ServiceConfig(total_memory_limit=2 << 20)}
    with served(guests("greeting"), options=options, limits={"threads": 1}) as server, server.client() as client:
        response = client.post("/greeting/greeting", json=["x" * (2 << 20)])
        problem(response, "memory-limit")
        assert response.json()["rejects"] > 0
        assert client.post("/greeting/greeting", json=["x"]).status_code == 200
        assert client.get("/figures").json()["growths_refused"] > 0


def test_a_large_body_is_refused(client: httpx.Client) -> None:
    limit = 8 << 20
    octets = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}
    found = client.post("/bench_effector/echo_bytes", content=bytes(limit), headers=octets)
    assert len(found.content) == limit
    problem(client.post("/bench_effector/echo_bytes", content=bytes(limit + 1), headers=octets), "body-size")


def test_time_and_its_limits(client: httpx.Client) -> None:
    for wrong in ("0", "-1", "nan", "inf", "x", "301", "1_0", "0x1", "1e-400"):
        problem(client.post("/lab/echo", json=[1], headers={"X-Marine-Timeout": wrong}), "request")
    assert client.post("/lab/echo", json=[1], headers={"X-Marine-Timeout": "2.5"}).json() == 1


TRICKY = (
    '{"particle": {"ttl": 1e400, "ttl": 5}}',
    '{"particle": {"signature": 5}}',
    '{"particle": {"timestamp": -1}}',
    '{"tetraplets": [[{"lense": ""}]]}',
    "NaN",
    "[" * 1000,
)
"""Texts that were read otherwise than arguments are, or became something that nobody had written."""


def test_call_parameters_where_they_are_allowed(client: httpx.Client) -> None:
    path, name = "/call_parameters/call_parameters", "X-Marine-Call-Parameters"
    given = {"particle": {"id": "7", "ttl": 3}, "service_id": "s", "tetraplets": [[{"lens": "l"}]]}
    found = client.post(path, json=[], headers={name: json.dumps(given)}).json()
    assert (found["particle"]["id"], found["particle"]["ttl"], found["service_id"]) == ("7", 3, "s")
    assert found["tetraplets"][0][0]["lens"] == "l"
    assert client.post(path, json=[]).json()["service_id"] == ""
    for wrong in ("{", "[]", '{"nothing": 1}', '{"service_id": 1}', '{"particle": 1}', '{"tetraplets": 5}', *TRICKY):
        problem(client.post(path, json=[], headers={name: wrong}), "request")
    with served() as other, other.client() as plain:
        problem(plain.post(path, json=[], headers={name: json.dumps(given)}), "request")


def test_batches(client: httpx.Client) -> None:
    calls = [
        {"module": "greeting", "function": "greeting", "arguments": ["A"]},
        {"module": "greeting", "function": "greeting", "arguments": {"name": 7}},
        {"module": "lab", "function": "trap", "arguments": [1]},
        {"module": "greeting_record", "function": "void_fn"},
        {"module": "no", "function": "no"},
        7,
    ]
    response = client.post("/batch", json=calls)
    assert response.status_code == 200
    results = response.json()
    assert results[0] == {"result": "Hi, A"}
    assert results[3] == {"result": None}
    codes = [item["problem"]["code"] for item in results if "problem" in item]
    assert codes == ["argument", "trap", "not-found", "request"]
    assert client.post("/batch", json=[]).json() == []
    problem(client.post("/batch", json={}), "request")
    problem(client.post("/batch", json=[7] * 1001), "request")
    problem(client.get("/batch"), "method")
    big = client.post("/batch", json=[calls[0]] * 1000).json()
    assert big == [{"result": "Hi, A"}] * 1000


def test_modules_may_have_any_name() -> None:
    binary = service()["greeting"]
    names = ["docs", "instances", "batch", "a/b", "ü%", "metrics", " ", "health?x#y", "", ".", ".."]
    with served(dict.fromkeys(names, binary)) as server, server.client() as client:
        for name in names[:-3]:  # those that no client can write in a path are left to `/batch`
            path = f"/{quote(name, safe='')}/greeting"
            assert client.post(path, json=["x"]).json() == "Hi, x", name
        calls = [{"module": name, "function": "greeting", "arguments": [name]} for name in names]
        assert client.post("/batch", json=calls).json() == [{"result": f"Hi, {name}"} for name in names]
        assert client.get("/docs").status_code == 200
        assert client.get("/instances").json() == {"instances": []}
        paths = client.get("/openapi.json").json()["paths"]
        assert {f"/{quote(name, safe='')}/greeting" for name in names} <= paths.keys()


def test_limits_on_large_bodies() -> None:
    with served(guests("bench_effector"), limits={"body": 200_000, "bodies": 300_000, "arrays": 1000}) as server:
        head = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}
        with server.client() as client:
            for _ in range(5):  # what a body holds is given back
                found = client.post("/bench_effector/echo_bytes", content=bytes(150_000), headers=head)
                assert found.content == bytes(150_000)
            many = b"[" + b"[]," * 1000 + b"[]]"
            problem(
                client.post("/bench_effector/echo", content=many, headers={"Content-Type": "application/json"}),
                "body-size",
            )
            assert server.application._room.left == 300_000
            host, port = server.url.removeprefix("http://").split(":")
            line = b"POST /bench_effector/echo_bytes HTTP/1.1\r\nHost: localhost\r\n"
            fields = b"Content-Type: application/octet-stream\r\nContent-Length: 200000\r\n\r\n"
            with socket.create_connection((host, int(port))) as slow:
                slow.sendall(line + fields + bytes(199_999))
                patiently(lambda: server.application._room.left < 150_000)
                problem(client.post("/bench_effector/echo_bytes", content=bytes(150_000), headers=head), "busy")
            patiently(lambda: server.application._room.left == 300_000)


def test_methods_and_paths(client: httpx.Client) -> None:
    assert problem(client.get("/greeting/greeting"), "method")
    assert client.get("/greeting/greeting").headers["allow"] == "POST"
    problem(client.put("/health"), "method")
    problem(client.delete("/instances"), "method")
    for path in ("/nothing", "/a/b/c", "/instances/x/y", "/greeting/greeting/", "/%ff/x", "/..%2f..%2fetc/passwd"):
        problem(client.get(path), "not-found")
    problem(client.post("/greeting/greeting/", json=["x"]), "not-found")
    head = client.head("/health")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "15")


def test_request_identifiers(client: httpx.Client) -> None:
    given = client.get("/health", headers={"X-Request-Id": "abc.1"})
    assert given.headers["x-request-id"] == "abc.1"
    made = client.get("/health", headers={"X-Request-Id": "a b"})
    assert made.headers["x-request-id"] != "a b"
    found = problem(client.get("/nothing", headers={"X-Request-Id": "q"}), "not-found")
    assert found["request"] == "q"


def test_a_full_queue_is_told() -> None:
    with served(limits={"threads": 1, "queue": 1, "timeout": 5}) as server:
        answers: list[httpx.Response] = []

        def nap() -> None:
            with server.client() as client:
                answers.append(client.post("/lab/nap", json=[1000]))

        threads = [threading.Thread(target=nap) for _ in range(4)]
        figures, backend = server.application.figures, server.application.backend
        for number, thread in enumerate(threads):
            thread.start()
            if number < 2:  # the first has the thread, the second the queue, before others come
                stage = (number + 1, number)
                patiently(lambda stage=stage: (figures.running, backend.waiting) == stage)
        for thread in threads:
            thread.join()
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200, 200, 503, 503]
        full = next(answer for answer in answers if answer.status_code == 503)
        problem(full, "busy")
        assert full.headers["retry-after"] == "1"


def test_a_client_that_goes_away_cancels_its_call() -> None:
    with served(limits={"threads": 1}) as server:
        figures = server.application.figures
        with pytest.raises(httpx.ReadTimeout), server.client() as client:
            client.post("/endless/spin", json=[], timeout=0.5)
        patiently(lambda: figures.cancelled == 1)
        started = time.monotonic()
        with server.client() as client:
            assert client.post("/lab/echo", json=[3]).json() == 3
        assert time.monotonic() - started < 10

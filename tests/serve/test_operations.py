"""Health, figures, metrics, descriptions, the graph, instances, reloads, mounting."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from marine_gen.serve import app
from marine_gen.serve.figures import Figures, added
from marine_gen.wire.interface import from_document, to_document
from tests.serve.test_calls import problem
from tests.support.engines import guests
from tests.support.served import Served, patiently, served


def test_health_and_readiness(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_metrics_are_those_of_calls() -> None:
    with served(guests("greeting", "failing")) as server, server.client() as client:
        for _ in range(3):
            client.post("/greeting/greeting", json=["x"])
        client.post("/greeting/greeting", json=[1])
        client.post("/failing/failing", json=[])
        response = client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }
        named = {(name, *sorted(labels)): value for (name, *labels), value in found.items()}
        assert named["marine_calls_total", "greeting", "greeting", "ok"] == 3
        assert named["marine_calls_total", "argument", "greeting", "greeting"] == 1
        assert named["marine_calls_total", "failing", "failing", "trap"] == 1
        assert named["marine_call_seconds_count", "greeting", "greeting"] == 4
        assert named["marine_http_responses_total", "200"] == 3
        assert named["marine_memory_bytes", "greeting"] > 0
        assert named["marine_connections",] == 1
        patiently(lambda: client.get("/figures").json()["copies_replaced"] == 1)
        assert client.get("/figures").json()["running"] == 0


def test_figures_of_processes_add_up() -> None:
    one, two = Figures(), Figures()
    one.call("m", "f", "ok", 0.001)
    two.call("m", "f", "ok", 0.2)
    two.call("m", "g", "trap", 100)
    one.response(200)
    total = added([one.snapshot({"memory": {"m": 1}}), two.snapshot({"memory": {"m": 2, "n": 5}})])
    assert total["memory"] == {"m": 3, "n": 5}
    assert total["processes"] == 2
    assert total["functions"][0]["codes"] == {"ok": 2}
    assert sum(total["functions"][0]["buckets"]) == 2
    assert total["functions"][1]["buckets"][-1] == 1


def test_the_interface_travels(shared: Served, client: httpx.Client) -> None:
    document = client.get("/interface").json()
    interface = shared.application.backend.interface
    found = from_document(document)
    assert to_document(found, document["service"]) == document
    assert {name: dict(item.functions) for name, item in found.modules.items()} == {
        name: dict(item.functions) for name, item in interface.modules.items()
    }


def test_the_graph_is_a_picture(client: httpx.Client) -> None:
    found = client.get("/graph.svg")
    assert found.headers["content-type"] == "image/svg+xml"
    assert "<svg" in found.text


def test_instances_keep_their_state(shared: Served, client: httpx.Client) -> None:
    made = [client.post("/instances") for _ in range(2)]
    assert [item.status_code for item in made] == [201, 201]
    first, second = (item.json()["id"] for item in made)
    assert made[0].headers["location"] == f"/instances/{first}"
    assert [client.post(f"/instances/{first}/lab/count", json=[0]).json() for _ in range(3)] == [1, 2, 3]
    assert client.post(f"/instances/{second}/lab/count", json=[0]).json() == 1
    problem(client.post(f"/instances/{first}/lab/trap", json=[0]), "trap")
    assert client.post(f"/instances/{first}/lab/count", json=[0]).json() == 5  # the trap had counted
    assert {item["id"] for item in client.get("/instances").json()["instances"]} == {first, second}
    assert client.get(f"/instances/{first}").json()["calls"] == 0
    for identifier in (first, second):
        assert client.delete(f"/instances/{identifier}").status_code == 200
        problem(client.post(f"/instances/{identifier}/lab/count", json=[0]), "not-found")
        problem(client.delete(f"/instances/{identifier}"), "not-found")
    problem(client.get("/instances/x"), "not-found")


def test_instances_are_limited_in_number_and_time() -> None:
    with served(guests("greeting"), limits={"instances": 1, "instance_time": 0.4}) as server, server.client() as client:
        assert client.post("/instances").status_code == 201
        full = client.post("/instances")
        problem(full, "instances")
        assert "retry-after" in full.headers
        patiently(lambda: client.get("/instances").json() == {"instances": []})
        assert client.post("/instances").status_code == 201


def test_a_changed_module_is_swapped_between_calls(tmp_path: Path) -> None:
    module = tmp_path / "m.wasm"
    module.write_bytes(guests("greeting")["greeting"])
    with served(module, reload=True) as server, server.client() as client:
        assert client.post("/m/greeting", json=["x"]).json() == "Hi, x"
        module.write_bytes(b"\0asm broken")
        patiently(lambda: server.application.figures.reloads.get("failed") == 1)
        assert client.post("/m/greeting", json=["x"]).json() == "Hi, x"
        module.write_bytes(guests("donkey")["donkey"])
        patiently(lambda: server.application.figures.reloads.get("ok") == 1)
        assert client.post("/m/greeting", json=["x"]).json() == "Donkey: hi, x"
        assert "donkey" not in client.get("/openapi.json").text


def test_no_call_is_lost_by_a_swap(tmp_path: Path) -> None:
    module = tmp_path / "m.wasm"
    module.write_bytes(guests("greeting")["greeting"])
    with served(module, reload=True) as server:

        def call_on() -> list[str]:
            """The answers of a client in a row, until some are those of the new module."""
            found: list[str] = []
            with server.client() as client:
                limit = time.monotonic() + 60
                while found[-5:] != ["Donkey: hi, x"] * 5 and time.monotonic() < limit:
                    response = client.post("/m/greeting", json=["x"])
                    assert response.status_code == 200
                    found.append(response.json())
            return found

        with ThreadPoolExecutor(4) as threads:
            clients = [threads.submit(call_on) for _ in range(4)]
            patiently(lambda: server.application.figures.statuses.get(200, 0) > 20)
            module.write_bytes(guests("donkey")["donkey"])
            for client in clients:
                answers = client.result()
                old = answers.count("Hi, x")
                assert answers == ["Hi, x"] * old + ["Donkey: hi, x"] * 5


def test_it_can_be_mounted() -> None:
    inner = app(guests("greeting"))
    outer = Starlette(routes=[Route("/own", lambda _: PlainTextResponse("own")), Mount("/marine/x", inner)])

    async def main() -> None:
        transport = httpx.ASGITransport(outer)
        async with inner, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/own")).text == "own"
            assert (await client.post("/marine/x/greeting/greeting", json=["x"])).json() == "Hi, x"
            assert (await client.get("/marine/x/health")).json() == {"status": "ok"}
            assert (await client.get("/marine/x/")).status_code == 200
            assert (await client.get("/marine/x/nothing")).status_code == 404

    asyncio.run(main())


def test_it_starts_with_the_first_request() -> None:
    inner = app(guests("greeting"))

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(inner), base_url="http://localhost") as client:
            answers = await asyncio.gather(*(client.post("/greeting/greeting", json=[str(i)]) for i in range(5)))
            assert [answer.json() for answer in answers] == [f"Hi, {i}" for i in range(5)]
        await inner.close()

    asyncio.run(main())


def test_requests_are_logged_as_documents(caplog: pytest.LogCaptureFixture) -> None:
    from marine_gen.serve.logs import JsonFormatter, TextFormatter

    caplog.set_level(logging.INFO, "marine_gen.access")
    with served(access_log=True) as server, server.client() as client:
        client.post("/greeting/greeting", json=["x"])
        client.get("/%0aforged")
        client.post("/lab/trap", json=[1])
    (failed,) = (json.loads(JsonFormatter().format(item)) for item in caplog.records if item.name == "marine_gen.serve")
    assert (failed["call"], failed["code"]) == ("lab.trap", "trap")
    assert "module" not in failed
    records = [record for record in caplog.records if record.name == "marine_gen.access"]
    document = json.loads(JsonFormatter().format(records[0]))
    assert (document["status"], document["path"], document["method"]) == (200, "/greeting/greeting", "POST")
    assert document["request"]
    assert "\n" not in TextFormatter().format(records[1])


def test_findings_are_logged_as_several_lines() -> None:
    from marine_gen.serve.logs import TextFormatter

    record = logging.LogRecord(
        "n", logging.ERROR, "", 0, "it failed: %s", ("one\n  two\r\x1b[2Kx\n12:00:00 info",), None
    )
    text = TextFormatter().format(record)
    assert text[8:].split("\n") == [" error n: it failed: one", r"      two\r\x1b[2Kx", "    12:00:00 info"]


def test_spans_of_opentelemetry() -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with served(guests("greeting", "failing")) as server, server.client() as client:
        client.post("/greeting/greeting", json=["x"], headers={"traceparent": parent})
        client.post("/failing/failing", json=[])
    spans: Any = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["greeting/greeting", "failing/failing"]
    assert format(spans[0].context.trace_id, "032x") == "0af7651916cd43dd8448eb211c80319c"
    assert spans[0].attributes["rpc.method"] == "greeting"
    assert spans[1].status.status_code.name == "ERROR"

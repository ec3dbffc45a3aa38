"""Arguments of a wrong number or with wrong names: one error per surface, on every engine, in pools and clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import marine_gen
import marine_gen.client
from marine_gen.artifact import ENGINES
from marine_runtime import ArgumentError, PythonModule, Service, Tracer
from marine_runtime.pool import ServicePool
from tests.support.engines import guests
from tests.support.served import served

SURFACES = (*ENGINES, *(f"{engine} public" for engine in ENGINES), "traced", "Python module", "pool", "client")

PYTHON_CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    (("a", "b"), {}),
    (("a",), {"name": "b"}),
    ((), {"nam": "a"}),
    (("a",), {"nam": "a"}),
    ((), {"name": "a", "nam": "a"}),
]
DATA: list[Any] = [[], ["a", "b"], {"nam": "a"}, {}, {"name": "a", "nam": "a"}, 5, "a", b"a", None, iter("a"), {5: "a"}]
JSON = [
    "[]",
    '["a","b"]',
    '{"nam":"a"}',
    "{}",
    '{"name":"a","nam":"a"}',
    "5",
    "null",
    '{"name":1e400,"name":"b"}',
    "[[]]",
]


def _service(surface: str) -> Service:
    if surface == "Python module":
        return marine_gen.load({"greeting": PythonModule("greeting", {"greeting": _greeting}), **guests("donkey")})
    if surface == "traced":
        return marine_gen.load(guests("greeting"), trace=_recording())
    engine, _, layer = surface.partition(" ")
    return marine_gen.load(guests("greeting"), engine=engine, call_layer=layer or "fast")


def _greeting(name: str) -> str:
    return f"Hi, {name}"


def _recording() -> Tracer:
    tracer = Tracer()
    tracer.start()
    return tracer


@pytest.fixture(scope="module")
def surfaces() -> Iterator[dict[str, Any]]:
    """Everything that has functions, by name."""
    with ExitStack() as stack:
        made: dict[str, Any] = {name: stack.enter_context(_service(name)) for name in SURFACES[:-2]}
        made["pool"] = stack.enter_context(ServicePool(lambda: _service("fused"), kind="threads", workers=1))
        made["client"] = stack.enter_context(
            marine_gen.client.connect(stack.enter_context(served(guests("greeting"))).url)
        )
        yield made


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("call", PYTHON_CALLS, ids=str)
def test_functions_of_modules(surfaces: dict[str, Any], surface: str, call: Any) -> None:
    function = surfaces[surface].modules.greeting.greeting
    with pytest.raises(TypeError) as caught:
        function(*call[0], **call[1])
    assert type(caught.value) is TypeError
    assert str(caught.value).startswith("greeting() ")
    assert function("a") == function(name="a") == "Hi, a"


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("arguments", DATA, ids=lambda item: "iterator" if hasattr(item, "__next__") else str(item))
def test_arguments_as_data(surfaces: dict[str, Any], surface: str, arguments: Any) -> None:
    service = surfaces[surface]
    with pytest.raises(ArgumentError) as caught:
        service.call("greeting", "greeting", arguments)
    many = service.map if surface == "pool" else service.call_batch
    (outcome,) = many("greeting", "greeting", [arguments])
    assert type(outcome) is type(caught.value) is ArgumentError
    with pytest.raises(ArgumentError) as first:
        surfaces["fused"].call("greeting", "greeting", arguments)
    assert str(outcome) == str(caught.value) == str(first.value)


@pytest.mark.parametrize("surface", [name for name in SURFACES if name not in ("pool", "client")])
@pytest.mark.parametrize("text", JSON)
def test_arguments_as_json(surfaces: dict[str, Any], surface: str, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        surfaces[surface].call_json("greeting", "greeting", text)
    with pytest.raises(ArgumentError) as first:
        surfaces["fused"].call_json("greeting", "greeting", text)
    assert str(caught.value) == str(first.value)

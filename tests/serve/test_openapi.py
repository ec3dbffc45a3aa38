"""The OpenAPI document: requests made from it by Schemathesis get documented answers, and it says what types are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from marine_gen.serve import app
from marine_gen.serve.functions import Function
from marine_gen.serve.openapi import describe
from marine_gen.serve.schemas import Schemas
from marine_gen.wire.forms import PLAIN
from marine_runtime.types import Field, FunctionType, Prim, Record, RecordType
from tests.support.engines import guest, guests
from tests.support.served import Served, served

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

EXAMPLES = int(os.environ.get("MARINE_GEN_REQUESTS", "3"))
"""Requests for each operation, well-formed and not."""

SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

EARNED = {"trap", "timeout", "memory-limit", "call"}
"""Failures that are the guest's own."""


@pytest.fixture(scope="module")
def typed() -> Iterator[Served]:
    """A server with functions of all types, that can be called with any values."""
    names = ("arguments_passing_effector", "records_effector", "bench_effector", "failing")
    with served(guests(*names), limits={"timeout": 5, "instances": 4}) as server:
        yield server


@pytest.mark.parametrize(
    ("query", "media", "every"),
    [
        ("", "application/json", 12),
        pytest.param("", "application/json", 1, marks=pytest.mark.slow),
        pytest.param(
            "?int64=string&bytes=base64",
            "application/json; bytes=base64; int64=string",
            1,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["a sample", "plain", "for JavaScript"],
)
def test_requests_get_documented_answers(typed: Served, query: str, media: str, every: int) -> None:
    schema = schemathesis.openapi.from_url(f"{typed.url}/openapi.json{query}")
    operations = [item.ok() for item in schema.get_all_operations()]
    assert len(operations) > 30

    def check(case: Any) -> None:
        # A document in another form of JSON is for clients that ask for that form.
        response = case.call(headers={"Accept": media} if case.method == "POST" else None)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 500:
            assert response.status_code == 503 or response.json()["code"] in EARNED, response.text

    for operation in operations[::every]:
        for mode in GenerationMode:
            run = given(operation.as_strategy(generation_mode=mode))(check)
            with contextlib.suppress(Unsatisfiable):  # without parameters nothing can be wrong
                SETTINGS(run)()


def test_types_are_stated_exactly(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    record = schemas["TestRecord"]["properties"]
    assert record["field_1"] == {"type": "integer", "minimum": -128, "maximum": 127, "format": "int8"}
    assert record["field_8"] == {"type": "integer", "minimum": 0, "maximum": 2**64 - 1, "format": "uint64"}
    assert record["field_12"]["items"]["maximum"] == 255
    given = schemas["TestRecordInput"]["properties"]["field_8"]["anyOf"]
    assert [item["type"] for item in given] == ["integer", "string"]
    other = client.get("/openapi.json?int64=string&bytes=base64").json()
    record = other["components"]["schemas"]["TestRecord"]["properties"]
    assert record["field_8"]["type"] == "string"
    assert record["field_12"]["contentEncoding"] == "base64"
    content = other["paths"]["/bench_effector/echo_bytes"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json; bytes=base64; int64=string", "application/octet-stream"}


def function_of_record(module: str, name: str, ty: Prim = Prim.U8) -> Function:
    """A function that takes and gives back a record."""
    records = {0: RecordType(name, (Field("x", ty),))}
    return Function(module, "f", FunctionType((Field("p", Record(0)),), (Record(0),)), records)


def test_records_of_one_name_get_names_of_their_own() -> None:
    functions = [function_of_record(*item) for item in (("a", "Point"), ("b", "Point"), ("c", "Point", Prim.STRING))]
    found = Schemas(functions, PLAIN).components()
    assert set(found) == {"Point", "PointInput", "Point_2", "Point_2Input"}


def test_records_do_not_take_the_names_of_the_document() -> None:
    served_settings = app({"m": guest("greeting")}).settings
    own = describe([], "s", PLAIN, served_settings)["components"]["schemas"]
    assert {"Problem", "Call", "Outcome", "Instance"} <= own.keys()
    for name in own:
        document = describe([function_of_record("m", name)], "s", PLAIN, served_settings)
        schemas = document["components"]["schemas"]
        assert {key: schemas[key] for key in own} == own
        used = document["paths"]["/m/f"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert schemas[used.rpartition("/")[2]]["properties"].keys() == {"x"}


def test_operations_have_names_of_their_own() -> None:
    signature = FunctionType((), ())
    names = (("a", "b.c"), ("a.b", "c"), ("server", "health"))
    functions = [Function(module, name, signature, {}) for module, name in names]
    document = describe(functions, "s", PLAIN, app({"m": guest("greeting")}).settings)
    operations = [item for path in document["paths"].values() for item in path.values()]
    assert len({item["operationId"] for item in operations}) == len(operations)
    tags = [item["name"] for item in document["tags"]]
    assert len(set(tags)) == len(tags)
    assert {tag for item in operations for tag in item["tags"]} == set(tags)

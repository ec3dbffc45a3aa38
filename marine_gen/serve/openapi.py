"""The OpenAPI 3.1 description of a service, made from its interface."""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import partial
from itertools import count
from typing import Any

from marine_gen._version import __version__
from marine_gen.serve.functions import Function
from marine_gen.serve.negotiation import OCTETS
from marine_gen.serve.paths import path_of
from marine_gen.serve.schemas import Schemas
from marine_gen.serve.settings import Settings
from marine_gen.wire.forms import JsonForm
from marine_gen.wire.problems import KINDS, MEDIA_TYPE
from marine_runtime.types import describe as spelled

_OWN = "server"
_ANYWHERE = ("token", "origin", "host", "request", "headers", "slow", "internal")
_CALL = ("json", "not-acceptable", "body-size", "media-type", "argument", "trap", "busy", "timeout", "memory-limit")


def describe(
    functions: Iterable[Function], name: str, form: JsonForm, settings: Settings, root: str = ""
) -> dict[str, Any]:
    """The document of an application that is mounted at `root`; its requests and responses are in a form of JSON."""
    functions = list(functions)
    own = _own_schemas()
    schemas = Schemas(functions, form, own)
    modules = dict.fromkeys(item.module for item in functions)
    tag = _unused(_OWN, modules)
    paths: dict[str, Any] = {}
    names: set[str] = set()
    for function in functions:
        identifier = _unused(function.key, names)  # the modules `a` and `a.b` may have functions `b.c` and `c`
        names.add(identifier)
        operation = _operation(function, schemas, form, settings)
        paths[path_of(function.module, function.name)] = {"post": {"operationId": identifier, **operation}}
    for path, item in _own_paths(form, settings, tag).items():
        paths.setdefault(path, {}).update(item)
    components: dict[str, Any] = {
        "schemas": {**schemas.components(), **own},
        "responses": {code: _problem(code) for code in KINDS},
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": __version__,
            "description": f"The Marine service `{name}`, served by marine-gen. "
            "Problems are documents of RFC 9457 with a `code`.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "tags": [{"name": name} for name in (*modules, tag)],
        "paths": paths,
        "components": components,
    }
    if root:
        document["servers"] = [{"url": root}]
    if settings.access.token is not None:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _operation(function: Function, schemas: Schemas, form: JsonForm, settings: Settings) -> dict[str, Any]:
    signature = function.signature
    params = ", ".join(f"{param.name}: {spelled(param.type, function.records)}" for param in signature.params)
    results = ", ".join(spelled(result, function.records) for result in signature.results)
    content: dict[str, Any] = {form.media_type: {"schema": schemas.arguments(function)}}
    if function.octets_in:
        content[OCTETS] = {"schema": {"type": "string", "contentMediaType": OCTETS, "format": "binary"}}
    answers: dict[str, Any] = {form.media_type: {"schema": schemas.result(function)}}
    if function.octets_out:
        answers[OCTETS] = {"schema": {"type": "string", "contentMediaType": OCTETS, "format": "binary"}}
    return {
        "tags": [function.module],
        "summary": f"{function.name}({params})" + (f" -> {results}" if results else ""),
        "parameters": _headers(settings),
        "requestBody": {"required": bool(signature.params), "content": content},
        "responses": {"200": {"description": "The result", "content": answers}, **_problems(*_CALL)},
    }


def _headers(settings: Settings) -> list[dict[str, Any]]:
    limit = settings.limits.longest
    headers: list[dict[str, Any]] = [
        {
            "name": "X-Marine-Timeout",
            "in": "header",
            "description": "Seconds that the call may take",
            "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": limit},
        }
    ]
    if settings.call_parameters:
        text = "The call parameters that modules see, as a JSON object"
        headers.append(
            {"name": "X-Marine-Call-Parameters", "in": "header", "description": text, "schema": {"type": "string"}}
        )
    return headers


def _problems(*codes: str) -> dict[str, Any]:
    """The responses of problems. Codes that share a status share a response."""
    by_status: dict[int, list[str]] = {}
    for code in (*_ANYWHERE, *codes):
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): {"$ref": f"#/components/responses/{found[0]}"}
        if len(found) == 1
        else {**_problem(found[0]), "description": "; ".join(KINDS[code].title for code in found)}
        for status, found in sorted(by_status.items())
    }


def _problem(code: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": KINDS[code].title, "content": {MEDIA_TYPE: {"schema": schema}}}


def _own_schemas() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "Problem": {
            "type": "object",
            "description": "What went wrong (RFC 9457)",
            "properties": {
                "type": {"type": "string", "format": "uri"},
                "title": text,
                "status": {"type": "integer"},
                "detail": text,
                "code": {"enum": list(KINDS)},
                "path": {"type": "string", "description": "where in the arguments or the value, such as `$.items[3]`"},
                "request": {"type": "string", "description": "what the request is called in the log"},
                "site": {
                    "type": "object",
                    "description": "the adapter instruction at which a call failed",
                    "properties": {
                        "module": text,
                        "function": text,
                        "side": text,
                        "index": {"type": "integer"},
                        "instruction": text,
                    },
                },
                "causes": {"type": "array", "items": text, "description": "the adapters that a failure passed"},
            },
            "required": ["type", "title", "status", "detail", "code"],
        },
        "Call": {
            "type": "object",
            "properties": {"module": text, "function": text, "arguments": {}},
            "required": ["module", "function"],
            "additionalProperties": False,
        },
        "Outcome": {
            "oneOf": [
                {"type": "object", "properties": {"result": {}}, "required": ["result"], "additionalProperties": False},
                {
                    "type": "object",
                    "properties": {"problem": {"$ref": "#/components/schemas/Problem"}},
                    "required": ["problem"],
                    "additionalProperties": False,
                },
            ]
        },
        "Instance": {
            "type": "object",
            "properties": {
                "id": text,
                "age": {"type": "number"},
                "expires_in": {"type": "number"},
                "calls": {"type": "integer"},
            },
            "required": ["id", "age", "expires_in", "calls"],
        },
    }


def _own_paths(form: JsonForm, settings: Settings, tag: str) -> dict[str, Any]:
    """The paths that every server has."""
    own = partial(_own, tag)
    anything = {"type": "object"}
    calls = {"type": "array", "items": {"$ref": "#/components/schemas/Call"}, "maxItems": settings.limits.batch}
    outcomes = {"type": "array", "items": {"$ref": "#/components/schemas/Outcome"}}
    instance = {"$ref": "#/components/schemas/Instance"}
    many = {
        "type": "object",
        "properties": {"instances": {"type": "array", "items": instance}},
        "required": ["instances"],
    }
    identifier, *names = (
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in ("id", "module", "function")
    )
    batch_codes = ("json", "not-acceptable", "body-size", "media-type", "busy")
    return {
        "/batch": {
            "post": {
                **own(
                    "batch",
                    "Many calls at once; results and problems in their order",
                    outcomes,
                    *batch_codes,
                    media=form.media_type,
                ),
                "parameters": _headers(settings),
                "requestBody": {"required": True, "content": {form.media_type: {"schema": calls}}},
            }
        },
        "/instances": {
            "post": own(
                "make_instance", "Make a copy with a state of its own", instance, "body-size", "instances", status="201"
            ),
            "get": own("list_instances", "The copies with a state of their own", many),
        },
        "/instances/{id}": {
            "get": {**own("get_instance", "One such copy", instance, "not-found"), "parameters": [identifier]},
            "delete": {**own("delete_instance", "Free it", anything, "not-found"), "parameters": [identifier]},
        },
        "/instances/{id}/{module}/{function}": {
            "post": {
                **own(
                    "call_instance",
                    "Call a function of such a copy, as without it",
                    {},
                    "not-found",
                    *_CALL,
                    media=form.media_type,
                ),
                "parameters": [identifier, *names, *_headers(settings)],
                "requestBody": {"required": False, "content": {form.media_type: {"schema": {}}}},
            }
        },
        "/interface": {"get": own("interface", "Modules, functions and records", anything)},
        "/figures": {"get": own("figures", "What the server counts", anything)},
        "/health": {"get": own("health", "Whether the server lives", anything)},
        "/ready": {"get": own("ready", "Whether it takes calls", anything, "closing")},
    }


def _own(
    tag: str,
    name: str,
    summary: str,
    schema: dict[str, Any],
    *codes: str,
    status: str = "200",
    media: str = "application/json",
) -> dict[str, Any]:
    responses = {status: {"description": summary, "content": {media: {"schema": schema}}}, **_problems(*codes)}
    return {"operationId": f"{tag}.{name}", "tags": [tag], "summary": summary, "responses": responses}


def _unused(name: str, taken: Container[str]) -> str:
    """A name that is not taken: this one, or one with a number behind it."""
    return next(found for number in count(1) if (found := name if number == 1 else f"{name}_{number}") not in taken)

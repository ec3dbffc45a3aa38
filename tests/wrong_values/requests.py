"""Requests to a server with something wrong in them: method, path, header fields and body, a line each."""

from __future__ import annotations

import asyncio
import re

import httpx

import marine_gen.serve
from marine_gen.serve.application import Application
from tests.support.paths import ROOT

_FIELD = re.compile(r'(?:get|header)\(b"([a-z-]+)"|^[A-Z_]+ = b"(x-marine-[a-z-]+)"', re.MULTILINE)
TOKEN = "0123456789abcdef"  # of a server that ends with the test


def parameters() -> set[str]:
    """Every part of a request that is looked at."""
    return {"method", "path", "body", "batch", *fields()}


def fields() -> set[str]:
    """Every header field that the server reads."""
    sources = [path.read_text("utf-8") for path in (ROOT / "marine_gen" / "serve").glob("*.py")]
    return {"".join(found).title() for text in sources for found in _FIELD.findall(text)}


def application() -> Application:
    """A served module, with a token, and call parameters allowed."""
    return marine_gen.serve.app("greeting.wasm", access=marine_gen.serve.Access(TOKEN), call_parameters=True)


def outcome(text: str, app: Application, loop: asyncio.AbstractEventLoop) -> str:
    """Status, code and sentence of the problem that a request gets."""
    head, _, body = text.partition("\n\n")
    first, *fields = head.split("\n")
    method, path = first.split()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    headers |= dict(field.split(": ", 1) for field in fields)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers, content=body.encode())

    response = loop.run_until_complete(send())
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        document = response.json()
        return f"{response.status_code} {document['code']}: {document['detail']}"
    return f"{response.status_code} {response.text}"

"""A Starlette application that does nothing, under the same uvicorn: the server is measured beside it.

`python -m tests.serve.baseline PORT WORKERS`
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def plain(request: Request) -> Response:
    """A constant, from a thread."""
    return JSONResponse("a short string")


async def direct(request: Request) -> Response:
    """A constant, from the event loop."""
    return JSONResponse("a short string")


async def echo(request: Request) -> Response:
    """The body, through a thread."""
    body = await request.body()
    return Response(await run_in_threadpool(lambda: body), media_type="application/octet-stream")


application = Starlette(
    routes=[
        Route("/plain", plain, methods=["POST"]),
        Route("/async", direct, methods=["POST"]),
        Route("/bytes", echo, methods=["POST"]),
    ]
)


if __name__ == "__main__":
    uvicorn.run(
        "tests.serve.baseline:application",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        access_log=False,
        log_level="warning",
    )

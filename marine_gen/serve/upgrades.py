"""Requests that offer another protocol, read as if they did not.

Clients that know HTTP/2 may offer it with their first request in clear text (`Upgrade: h2c`); Java's does by default.
The parser stops behind the head of such a request, and the body would be taken for the next request. RFC 9110 lets a
server ignore the offer, so another parser reads the same request without it.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import httptools

Fields = list[tuple[bytes, bytes]]


class RequestParts(Protocol):
    """The parts of a connection that a parser fills; see `uvicorn.protocols.http.httptools_impl`."""

    parser: Any
    url: bytes
    headers: Fields


def feed(request: RequestParts, data: bytes) -> None:
    """Give the parser of a connection what has arrived. One that stops at an offer is replaced.

    Raises:
        httptools.HttpParserError: it is not HTTP, or asks for a tunnel.
    """
    while True:
        try:
            request.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            method: bytes = request.parser.get_method()
            if method == b"CONNECT":
                raise httptools.HttpParserError("this server is not a proxy") from None
            version = request.parser.get_http_version().encode("ascii")
            lines = [b"%b %b HTTP/%b" % (method, request.url, version)]
            lines += [b"%b: %b" % field for field in request.headers if field[0] != b"upgrade"]
            request.parser = parser = httptools.HttpRequestParser(request)
            with contextlib.suppress(AttributeError):  # httptools before 0.6.3
                parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn
            data = b"\r\n".join((*lines, b"", data[offer.args[0] :]))
        else:
            return

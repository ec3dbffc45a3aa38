"""A transport that sends the head and the body of a response together.

uvicorn writes them one after the other, and uvloop makes a system call of each write. On a local connection that call
takes as long as everything else that is done for a short response.
"""

from __future__ import annotations

import asyncio
from typing import Any


class JoiningTransport:
    """Writes in pairs: the first write waits for the second, at most until the event loop is free.

    Only what uvicorn's protocols use is here; everything else is the attribute of the transport below.

    Args:
        transport: writes to the connection.
        loop: the event loop of the connection.
    """

    __slots__ = ("_first", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._first = transport, loop, b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data` in order with all other writes."""
        first = self._first
        if first:
            self._first = b""
            self._transport.writelines((first, data))
        elif data:
            self._first = data
            self._loop.call_soon(self._flush)

    def writelines(self, parts: list[bytes]) -> None:
        """Send all parts at once, behind what waits."""
        first, self._first = self._first, b""
        self._transport.writelines((first, *parts) if first else parts)

    def get_write_buffer_size(self) -> int:
        """The bytes that were written and not sent yet."""
        return self._transport.get_write_buffer_size() + len(self._first)

    def close(self) -> None:
        """Send what was written, then close the connection."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection; what was not sent is dropped."""
        self._first = b""
        self._transport.abort()

    def _flush(self) -> None:
        first = self._first
        if first:
            self._first = b""
            if not self._transport.is_closing():
                self._transport.write(first)

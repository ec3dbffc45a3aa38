"""Requests between the processes of one server, over Unix sockets in a directory that only their user can enter.

Processes share the port, so a request comes to any of them. One for an instance has to go where that instance is, and
figures are those of all. A request travels as one frame each way: what is in its head as JSON, then the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from marine_gen.serve.exchange import Message, Receive, Scope, Send
from marine_gen.wire.problems import ProblemError

NAME = re.compile(r"[0-9a-f]{8}", re.ASCII)
"""The names of processes."""

PEER = "marine_gen.peer"
"""The key in the scope of a request that came from another process, which has checked it."""

_HEAD = struct.Struct("!IQ")
_PATIENCE = 2.0

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class PeerGoneError(Exception):
    """The other process is not there any more."""


class Peers:
    """The other processes, and the socket for them.

    Args:
        directory: the directory of the sockets; None when there are no others.
        name: the name of this process.
        app: answers their requests.
    """

    def __init__(self, directory: Path | None, name: str, app: App) -> None:
        self._directory, self.name, self._app = directory, name, app
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen."""
        if self._directory is not None:
            self._server = await asyncio.start_unix_server(
                self._serve, self._directory / f"{self.name}.sock", backlog=2048
            )

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None and self._directory is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                (self._directory / f"{self.name}.sock").unlink()

    def others(self) -> list[str]:
        """The names of the other processes."""
        if self._directory is None:
            return []
        return [path.stem for path in sorted(self._directory.glob("*.sock")) if path.stem != self.name]

    async def ask_all(self, path: str) -> dict[str, Any]:
        """The JSON documents that the other processes have at a path, by name; without those that do not answer."""

        async def one(name: str) -> Any:
            try:
                async with asyncio.timeout(_PATIENCE):
                    status, _, body = await self.forward(name, {"method": "GET", "path": path, "headers": []}, b"")
            except (PeerGoneError, ProblemError, TimeoutError):
                return None
            return json.loads(body) if status == 200 else None

        names = self.others()
        found = await asyncio.gather(*map(one, names))
        return {name: item for name, item in zip(names, found, strict=True) if item is not None}

    def keep(self, figures: Mapping[str, Any]) -> None:
        """Keep what this process has counted, so that the others can tell it when this one can't any more."""
        if self._directory is not None:
            new = self._directory / f"{self.name}.new"
            with contextlib.suppress(OSError):
                new.write_text(json.dumps(figures))
                new.replace(self._directory / f"{self.name}.figures")

    def kept(self) -> dict[str, Any]:
        """The figures that other processes kept last, by name, of those that have ended too."""
        found: dict[str, Any] = {}
        if self._directory is not None:
            for path in self._directory.glob("*.figures"):
                if path.stem != self.name:
                    with contextlib.suppress(OSError):
                        found[path.stem] = json.loads(path.read_text())
        return found

    async def forward(self, name: str, head: dict[str, Any], body: bytes) -> tuple[int, list[Any], bytes]:
        """Let another process answer: status, header fields and body of the response.

        Raises:
            PeerGoneError: it is not there. ProblemError: it has too much to do.
        """
        assert self._directory is not None
        path = self._directory / f"{name}.sock"
        try:
            reader, writer = await asyncio.open_unix_connection(path)
        except (FileNotFoundError, ConnectionRefusedError):
            path.unlink(missing_ok=True)
            raise PeerGoneError from None
        except OSError:  # of this process, or too many requests wait for the other one
            raise ProblemError("busy", "the process of this instance can't be reached; try again") from None
        try:
            _write(writer, head, body)
            await writer.drain()
            answer, content = await _read(reader)
        except (OSError, EOFError):
            raise PeerGoneError from None
        finally:
            writer.close()
        return answer["status"], answer["headers"], content

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of another process."""
        try:
            head, body = await _read(reader)
            await _write_response(self._app, head, body, reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _write_response(
    app: App, head: dict[str, Any], body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    path: str = head["path"]
    scope: Scope = {
        "type": "http",
        "method": head["method"],
        "path": path,
        "raw_path": path.encode("ascii"),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]],
        PEER: True,
    }
    messages = [{"type": "http.request", "body": body}]
    status, headers, content = 500, list[Any](), bytearray()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await reader.read(1)  # nothing more comes, but the end
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        else:
            content.extend(message.get("body", b""))

    await app(scope, receive, send)
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    _write(writer, {"status": status, "headers": fields}, bytes(content))
    await writer.drain()


def _write(writer: asyncio.StreamWriter, head: dict[str, Any], body: bytes) -> None:
    text = json.dumps(head).encode("ascii")
    writer.write(_HEAD.pack(len(text), len(body)) + text + body)


async def _read(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    text, body = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    head: dict[str, Any] = json.loads(await reader.readexactly(text))
    return head, await reader.readexactly(body)

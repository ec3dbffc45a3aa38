"""Writes of head and body that are sent together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from marine_gen.serve.transport import JoiningTransport
from tests.support.engines import guests
from tests.support.served import served


class FakeTransport:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, ...]] = []
        self.closed = ""

    def write(self, data: bytes) -> None:
        self.sent.append((data,))

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.sent.append(tuple(parts))

    def close(self) -> None:
        self.closed = "closed"

    def abort(self) -> None:
        self.closed = "aborted"

    def is_closing(self) -> bool:
        return bool(self.closed)

    def get_write_buffer_size(self) -> int:
        return 100


def after(act: Callable[[JoiningTransport], Any]) -> FakeTransport:
    """The transport below, when `act` was done and the event loop has been free."""
    below = FakeTransport()

    async def run() -> None:
        act(JoiningTransport(below, asyncio.get_running_loop()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(run())
    return below


def test_two_writes_are_one() -> None:
    def respond(transport: JoiningTransport) -> None:
        transport.write(b"head")
        transport.write(b"body")
        transport.write(b"")
        transport.write(b"next head")
        transport.write(b"next body")

    assert after(respond).sent == [(b"head", b"body"), (b"next head", b"next body")]


def test_one_write_is_sent_when_the_loop_is_free() -> None:
    assert after(lambda transport: transport.write(b"alone")).sent == [(b"alone",)]


def test_lines_follow_what_waits() -> None:
    def respond(transport: JoiningTransport) -> None:
        transport.write(b"head")
        transport.writelines([b"a", b"b"])
        transport.writelines([b"c"])

    assert after(respond).sent == [(b"head", b"a", b"b"), (b"c",)]


@pytest.mark.parametrize(("method", "sent"), [("close", [(b"head",)]), ("abort", [])])
def test_closing_sends_and_aborting_drops_what_waits(method: str, sent: list[tuple[bytes]]) -> None:
    def end(transport: JoiningTransport) -> None:
        transport.write(b"head")
        getattr(transport, method)()

    below = after(end)
    assert (below.sent, below.closed) == (sent, f"{method.rstrip('e')}ed")


def test_nothing_is_sent_to_a_connection_that_was_lost() -> None:
    def lose(transport: JoiningTransport) -> None:
        transport.write(b"head")
        transport._transport.close()

    assert after(lose).sent == []


def test_what_waits_counts_as_unsent() -> None:
    sizes = []

    def look(transport: JoiningTransport) -> None:
        transport.write(b"head")
        sizes.append(transport.get_write_buffer_size())
        transport.write(b"body")
        sizes.append(transport.get_write_buffer_size())

    after(look)
    assert sizes == [104, 100]


def test_a_response_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    monkeypatch.setattr(JoiningTransport, "_flush", lambda self: flushed.append(self._first))
    with served(guests("greeting")) as server:
        for name in ("a", "b"):
            assert httpx.post(f"{server.url}/greeting/greeting", json=[name]).json() == f"Hi, {name}"
        assert httpx.get(f"{server.url}/docs").status_code == 200
    assert len(flushed) >= 3
    assert not any(flushed)

"""Many requests, of which some fail in every way available: each is answered exactly once, and nothing leaks.

`MARINE_GEN_FAULTS` says how many requests: a few hundred by default, so that it is part of the suite.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serve.test_process import children
from tests.support.pools import lab
from tests.support.served import TIME, patiently, served, serving

REQUESTS = int(os.environ.get("MARINE_GEN_FAULTS", "600"))
CLIENTS = 12


class Load:
    """Clients that send requests, a fault in every so many, and count the answers.

    Args:
        url: the server.
        share: the part of the requests that are to fail.
        lost: whether a connection may be lost without an answer, because workers are killed.
    """

    def __init__(self, url: str, share: float, *, lost: bool) -> None:
        self.url, self.share, self.may_be_lost = url, share, lost
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._left = REQUESTS
        self._random = random.Random(7)

    async def run(self) -> None:
        """Send all requests."""
        await asyncio.gather(*(self._run(Client(self.url)) for _ in range(CLIENTS)))

    async def _run(self, client: Client) -> None:
        while self._left > 0:
            self._left -= 1
            fault = self._random.random() < self.share
            kind = self._random.choice(("trap", "time", "bad", "close")) if fault else "good"
            try:
                await getattr(self, f"_{kind}")(client)
            except (OSError, EOFError) as error:
                client.close()
                if not self.may_be_lost:
                    self.wrong.append(f"{kind}: {error!r}")
                kind = "lost"
            self.answers[kind] += 1
        client.close()

    async def _good(self, client: Client) -> None:
        number = self._random.randrange(2**32)
        status, text = await client.post("/lab/echo", [number])
        if text != str(number):
            self.wrong.append(f"{number}: {status} {text}")

    async def _expect(self, client: Client, path: str, arguments: Any, *codes: str, timeout: float = 60) -> None:
        status, text = await client.post(path, arguments, timeout)
        if json.loads(text).get("code") not in codes:
            self.wrong.append(f"{path}: {status} {text}")

    async def _trap(self, client: Client) -> None:
        await self._expect(client, "/lab/trap", [1], "trap")

    async def _time(self, client: Client) -> None:
        await self._expect(client, "/endless/spin", [], "timeout", "busy", timeout=0.05)

    async def _bad(self, client: Client) -> None:
        await self._expect(client, "/lab/echo", ["x"], "argument")

    async def _close(self, client: Client) -> None:
        other = Client(self.url)
        await other.send("/endless/spin", [], 5)
        await asyncio.sleep(0.1)
        other.close()


class Client:
    """One connection at a time. It is closed by nobody but the server and `close`, so what is lost, the server lost."""

    def __init__(self, url: str) -> None:
        self._host, self._port = url.removeprefix("http://").split(":")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, path: str, arguments: Any, timeout: float) -> asyncio.StreamReader:
        """Send a call."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, int(self._port))
        reader, writer = self._streams
        body = json.dumps(arguments).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"X-Marine-Timeout: {timeout}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode())  # the body apart, as most clients send it
        writer.write(body)
        await writer.drain()
        return reader

    async def post(self, path: str, arguments: Any, timeout: float = 60) -> tuple[int, str]:
        """Call: status and body of the response."""
        reader = await self.send(path, arguments, timeout)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        length = int(head.partition("content-length: ")[2].split("\r")[0])
        return int(head.split()[1]), (await reader.readexactly(length)).decode()

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def resources(process: int | str = "self") -> tuple[int, int, int]:
    """Descriptors, threads and resident kilobytes of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    descriptors = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return descriptors, int(fields["Threads"]), int(fields["VmRSS"].split()[0])


def test_each_request_is_answered_once_and_nothing_leaks() -> None:
    limits = {"threads": 2, "timeout": 60, "queue": 64}
    with served(lab(), limits=limits) as server:
        share = 0.05 if REQUESTS < 10_000 else 0.01
        asyncio.run(_warm(server.url))
        gc.collect()
        descriptors, threads, memory = resources()
        load = Load(server.url, share, lost=False)
        asyncio.run(load.run())
        assert load.wrong == []
        assert sum(load.answers.values()) == REQUESTS
        figures = server.application.figures
        patiently(lambda: figures.running == 0)
        patiently(lambda: server.connections.open == 0)
        counted = Counter[str]()
        for item in figures.functions.values():
            counted.update(item.codes)
        assert counted["ok"] == load.answers["good"] + 20
        assert counted["trap"] == load.answers["trap"]
        assert counted["argument"] == load.answers["bad"]
        assert (
            counted["timeout"] + counted["busy"] + counted["cancelled"] == load.answers["time"] + load.answers["close"]
        )
        gc.collect()
        time.sleep(0.5)
        after = resources()
        assert after[0] <= descriptors + 4, "descriptors"
        assert after[1] <= threads + 4, "threads"
        assert after[2] <= memory + 60_000 + REQUESTS // 10, "memory"


async def _warm(url: str) -> None:
    client = Client(url)
    for _ in range(20):
        assert await client.post("/lab/echo", [1]) == (200, "1")
    client.close()


@pytest.mark.slow
def test_killed_workers_lose_their_own_requests_only(tmp_path: Path) -> None:
    module, host = tmp_path / "lab.wasm", tmp_path / "host.py"
    module.write_bytes(lab()["lab"])
    host.write_text("from tests.support.pools import host_functions as make\nhost_functions = make()\n")
    arguments = ("--workers", "2", "--host-file", str(host), "--no-access-log")
    with serving(module, *arguments, environment={"PYTHONPATH": os.getcwd()}) as server:
        load = Load(server.url, 0.0, lost=True)
        stop = threading.Event()
        kills: list[int] = []

        def kill() -> None:
            while not stop.wait(2.0):
                found = children(server.process.pid)
                if len(found) == 2:  # one goes on meanwhile
                    kills.append(found[0])
                    os.kill(found[0], signal.SIGKILL)
                    stop.wait(6.0)

        thread = threading.Thread(target=kill)
        thread.start()
        asyncio.run(load.run())
        while not kills:
            time.sleep(0.1)
        stop.set()
        thread.join()
        assert load.wrong == []
        assert sum(load.answers.values()) == REQUESTS
        assert load.answers["lost"] <= CLIENTS * len(kills)
        # The supervisor looks after one worker at a time, and waits for a new one to answer.
        patiently(lambda: len(children(server.process.pid)) == 2, 4 * TIME)
        server.ready()
        assert httpx.post(f"{server.url}/lab/echo", json=[5], timeout=30).json() == 5

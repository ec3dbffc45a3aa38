"""Measures a server beside Starlette applications that do nothing, interleaved: `python -m tests.serve.bench`.

Both run under the same uvicorn, without access logs, in processes of their own; a client in this process keeps some
connections busy. Rounds alternate, and a ratio is that of the medians. `--json FILE` writes the figures, `--keep` those
of docs/serve.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.measured import keep

ROOT = Path(__file__).parents[2]
GUESTS = ROOT / "tests" / "guests"

BARS = {
    "threads, 1 worker": 0.9,
    "threads, 2 workers": 0.9,
    "inline, 1 worker": 0.7,
    "inline, 2 workers": 0.7,
    "1 MiB, 1 worker": 0.7,
    "1 MiB, 2 workers": 0.7,
}
"""The ratios of requests per second that have to be reached."""

ADDED = 0.15
"""Milliseconds of latency that a call may add to a plain endpoint's, at the median."""


@dataclass(frozen=True)
class Load:
    """A request, as bytes, and the number of connections that send it."""

    request: bytes
    connections: int


def request(path: str, body: bytes, kind: str) -> bytes:
    """A request of HTTP."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nAccept: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


STRING = request("/bench_effector/echo", b'["a short string"]', "application/json")
MEBIBYTE = request("/bench_effector/echo_bytes", bytes(1 << 20), "application/octet-stream")


class Connection(asyncio.Protocol):
    """A client that sends the next request when the response to the last one is there."""

    def __init__(self, data: bytes, until: float, times: list[float], done: asyncio.Future[None]) -> None:
        self._data, self._until, self._times, self._done = data, until, times, done
        self._left, self._head = 0, b""

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._start = time.perf_counter()
        if self._start > self._until:
            self._transport.abort()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._head = b""
        self._transport.write(self._data)

    def data_received(self, data: bytes) -> None:
        """Count what is missing of the response."""
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._head.startswith(b"HTTP/1.1 200"):
                self.connection_lost(RuntimeError(repr(self._head[:500])))
                return
            at = self._head.index(b"content-length: ") + 16
            length = int(self._head[at : self._head.index(b"\r", at)])
            self._left = length - (len(self._head) - end - 4)
        if not self._left:
            self._times.append(time.perf_counter() - self._start)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server must not end a connection."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))


async def burst(port: int, load: Load, seconds: float) -> list[float]:
    """The times of all requests that were answered in so many seconds."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    until = time.perf_counter() + seconds
    endings = [loop.create_future() for _ in range(load.connections)]
    for done in endings:
        await loop.create_connection(lambda done=done: Connection(load.request, until, times, done), "127.0.0.1", port)
    await asyncio.gather(*endings)
    return times


def processor_time(process: int) -> float:
    """Seconds of processor time that a process and its children have used."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    own = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(processor_time(int(child)) for child in children)


@contextmanager
def running(kind: str, workers: int) -> Iterator[tuple[int, int]]:
    """A server in a process of its own; its port and its process."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    if kind.startswith("starlette"):
        command = [sys.executable, "-m", "tests.serve.baseline", str(port), str(workers)]
    else:
        command = [
            sys.executable,
            "-m",
            "marine_gen",
            "serve",
            str(GUESTS / "bench_effector.wasm"),
            "--port",
            str(port),
        ]
        command += ["--workers", str(workers), "--no-access-log"]
        if kind == "inline":
            command += ["--inline", "bench_effector.echo"]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        limit = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < limit
                time.sleep(0.1)
        time.sleep(2.5)  # all workers
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


CASES = (
    ("threads", "threads", Load(STRING, 16), Load(STRING.replace(b"/bench_effector/echo", b"/plain"), 16)),
    ("inline", "inline", Load(STRING, 16), Load(STRING.replace(b"/bench_effector/echo", b"/async"), 16)),
    ("1 MiB", "threads", Load(MEBIBYTE, 4), Load(MEBIBYTE.replace(b"/bench_effector/echo_bytes", b"/bytes"), 4)),
)


def measure(rounds: int, seconds: float, workers: tuple[int, ...]) -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {}
    for count in workers:
        with (
            running("starlette", count) as base,
            running("threads", count) as threads,
            running("inline", count) as inline,
        ):
            ports = {"threads": threads, "inline": inline}
            for name, kind, ours, theirs in CASES:
                rates: dict[str, list[float]] = {"marine": [], "starlette": []}
                used: dict[str, list[float]] = {"marine": [], "starlette": []}
                for _ in range(rounds):
                    for who, (port, process), load in (("starlette", base, theirs), ("marine", ports[kind], ours)):
                        before = processor_time(process)
                        count_of = len(uvloop.run(burst(port, load, seconds)))
                        rates[who].append(count_of / seconds)
                        used[who].append(1e6 * (processor_time(process) - before) / count_of)
                medians = {who: statistics.median(values) for who, values in rates.items()}
                label = f"{name}, {count} worker{'s' if count > 1 else ''}"
                ratio = medians["marine"] / medians["starlette"]
                spent = {who: statistics.median(values) for who, values in used.items()}
                found[label] = {**medians, "ratio": ratio, "rates": rates, "microseconds": spent}
                print(f"{label}: {medians['marine']:.0f} of {medians['starlette']:.0f}/s, {ratio:.2f}; ", end="")
                print(f"processor {spent['marine']:.0f} beside {spent['starlette']:.0f} µs a request")
            if count > 1:
                continue
            for name, kind, ours, theirs in CASES[:2]:
                middle: dict[str, list[float]] = {"marine": [], "starlette": []}
                for _ in range(rounds):
                    for who, (port, _), load in (("starlette", base, theirs), ("marine", ports[kind], ours)):
                        middle[who].append(statistics.median(uvloop.run(burst(port, Load(load.request, 1), seconds))))
                added = 1000 * (statistics.median(middle["marine"]) - statistics.median(middle["starlette"]))
                found[f"latency, {name}"] = {"added_ms": added, "medians": middle}
                print(f"latency, {name}: {added:+.3f} ms at the median")
    return found


def kept(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The figures that the page shows, with their bars."""
    for name, item in found.items():
        if "ratio" in item:
            spent = {who: round(value) for who, value in item["microseconds"].items()}
            yield name, {"bar": BARS[name], "ratio": round(item["ratio"], 2), "microseconds": spent}
        else:
            yield name, {"bar": ADDED, "added_ms": round(item["added_ms"], 3)}


def main() -> int:
    """Measure, print, compare with the bars; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true", help="write the figures down for docs/serve.md")
    given = parser.parse_args()
    found = measure(given.rounds, given.seconds, tuple(given.workers))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    if given.keep:
        keep("serve", dict(kept(found)))
    missed = [name for name, bar in BARS.items() if name in found and found[name]["ratio"] < bar]
    missed += [name for name, item in found.items() if item.get("added_ms", 0) > ADDED]
    for name in missed:
        print(f"below its bar: {name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Servers for tests: in a thread of this process, or as a process of its own. They listen on the loopback address."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from marine_gen.serve import ServeLimits, app
from marine_gen.serve.application import Application
from marine_gen.serve.protocol import Connections
from tests.support.engines import guests
from tests.support.pools import host_functions, lab

TIME = 30.0
"""Seconds that nothing in a test should take."""


@cache
def trusted() -> ssl.SSLContext:
    """The certificates of the system, read once: a client reads them even for a server without TLS."""
    return httpx.create_ssl_context()


@dataclass
class Served:
    """A server that runs.

    Attributes:
        url: where.
        application: what it serves.
        connections: its connections.
    """

    url: str
    application: Application
    connections: Connections

    def client(self, **options: Any) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=TIME, verify=trusted(), **options)


def service() -> dict[str, Any]:
    """Modules for every kind of call: values of all types, records, failures."""
    names = ("arguments_passing_effector", "records_effector", "records_pure", "bench_effector", "call_parameters")
    return {**lab(), **guests(*names)}


@contextmanager
def served(target: Any = None, **settings: Any) -> Iterator[Served]:
    """Serve a target, the modules of `service` by default, in a thread."""
    options = settings.pop("options", {})
    limits, peers = settings.pop("limits", {}), settings.pop("peers", None)
    application = app(
        service() if target is None else target,
        options={"host_functions": host_functions(), **options},
        limits=ServeLimits(**limits),
        **settings,
    )
    if peers is not None:
        application = Application(replace(application.settings, peers=peers))
    connections = Connections(application.settings.limits)
    application.guarded = True
    application.connections = lambda: connections.open
    config = uvicorn.Config(
        application,
        port=0,
        http=connections.make,  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        timeout_keep_alive=int(max(1, application.settings.limits.idle_time)),
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    problems: list[BaseException] = []

    def main() -> None:
        try:
            server.run()
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=main, name="served", daemon=True)
    thread.start()
    try:
        limit = time.monotonic() + TIME
        while not server.started:
            assert thread.is_alive(), problems
            assert time.monotonic() < limit
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", application, connections)
    finally:
        server.should_exit = True
        thread.join(TIME)
    assert not thread.is_alive()


@dataclass
class ServerProcess:
    """`marine-gen serve` as a process.

    Attributes:
        url: where it listens.
        process: the process.
        lines: what it has written to stderr.
    """

    url: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def client(self, **options: Any) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=TIME, verify=trusted(), **options)

    def terminate(self) -> int:
        """Send SIGTERM and wait for the end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIME)

    def ready(self) -> None:
        """Wait until it takes calls."""
        limit = time.monotonic() + 2 * TIME
        while True:
            assert time.monotonic() < limit, self.lines
            try:
                if httpx.get(f"{self.url}/ready", timeout=2, verify=trusted()).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)


@contextmanager
def serving(
    target: str | Path, *arguments: str, environment: dict[str, str] | None = None, before: str = "pass"
) -> Iterator[ServerProcess]:
    """Run `marine-gen serve` on a free port until the end of the block, after a statement of Python."""
    program = f"{before}; from marine_gen.cli import main; main()"
    command: Sequence[str] = [sys.executable, "-c", program, "serve", str(target), "--port", "0", *arguments]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    lines: list[str] = []
    found = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if "serving" in line:
                found.set()
        found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert found.wait(TIME), lines
        url = next(match[0] for line in lines if (match := re.search(r"http://[\w.:\[\]]+", line)))
        server = ServerProcess(url.replace("0.0.0.0", "127.0.0.1"), process, lines)
        server.ready()
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(TIME)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its workers, too: they hold the pipe
                process.wait()
        reader.join(TIME)
        assert process.stderr is not None
        process.stderr.close()


def patiently(condition: Any, seconds: float = TIME) -> None:
    """Wait until a condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)

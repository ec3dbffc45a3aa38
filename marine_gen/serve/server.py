"""Server processes: sockets, uvicorn, workers, the end of a server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import Multiprocess

from marine_gen.artifact import ProgressCallback
from marine_gen.serve import logs
from marine_gen.serve.application import Application
from marine_gen.serve.copies import try_loading
from marine_gen.serve.protocol import Connections
from marine_gen.serve.settings import LOOPBACK, ServeLimits, Settings
from marine_runtime import ConfigError, MarineError
from marine_runtime.texts import os_reason

logger = logging.getLogger("marine_gen.serve")

_START = 60
"""Seconds that a worker has to start, and to answer its supervisor."""

_MOST_DESCRIPTORS = 1 << 20
_SPARE = 64
"""Descriptors that a process needs for other things than connections."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address that a server listens on.

    Attributes:
        host: an address or name of this machine.
        port: a port; 0 for any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8080

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach it."""
        if self.host in LOOPBACK:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def check_exposure(address: Address, settings: Settings, *, no_auth: bool) -> None:
    """Refuse to serve other machines without a token, unless that was asked for.

    Raises:
        ConfigError: it was not.
    """
    if address.loopback or settings.access.token is not None or no_auth:
        return
    raise ConfigError(
        f"other machines can reach `{address.host}`: give a token (--token-file, or MARINE_GEN_TOKEN), "
        "or say --no-auth to let anyone call the service"
    )


def listen(address: Address) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: the address is taken, or not of this machine.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(2048)
    except UnicodeError:  # the resolver encodes names for DNS
        raise ConfigError(
            f"can't listen on {address.host!r:.80}: it is not a host name; "
            "write 127.0.0.1, or 0.0.0.0 for all addresses of this machine"
        ) from None
    except OSError as error:
        raise ConfigError(f"can't listen on {address.host}, port {address.port}: {os_reason(error)}") from None
    sock.set_inheritable(True)
    return sock


def url_of(sock: socket.socket) -> str:
    """The URL of a socket that listens."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    settings: Settings,
    address: Address,
    *,
    workers: int = 1,
    announce: Callable[[str], None],
    progress: ProgressCallback | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; the exit code.

    Args:
        settings: those of the application.
        address: the address to listen on.
        workers: the number of processes.
        announce: is told the URL once the service is loaded; never if it can't be.
        progress: called for each step of compiling in this process, as that of `load`, perhaps by several threads.

    Raises:
        ConfigError: the address can't be used. Others: as loading the service.
    """
    logs.configure(as_json=settings.json_log)
    if settings.json_log:  # every line is a document
        announce = partial(logger.info, "serving at %s")
        try:
            return _run(settings, address, workers, announce, progress)
        except MarineError as error:
            logger.error("%s", error)
            return 1
    return _run(settings, address, workers, announce, progress)


def _run(
    settings: Settings,
    address: Address,
    workers: int,
    announce: Callable[[str], None],
    progress: ProgressCallback | None,
) -> int:
    # A cluster's options go to other machines.
    told = settings if settings.ray else replace(settings, options={**settings.options, "progress": progress})
    if workers > 1:  # a worker that can't load the service is started again and again, for a minute
        try_loading(told)
    _raise_descriptors()
    with contextlib.closing(listen(address)) as sock:
        if workers > 1:
            announce(url_of(sock))
            return _run_workers(settings, sock, workers)
        config, failures = _config(told, 1), list[Exception]()

        def remember(error: Exception) -> str:
            failures.append(error)
            return ""

        config.load()
        config.loaded_app.tell = remember
        server = _Server(config, partial(announce, url_of(sock)))
        server.run([sock])
        if failures:
            raise failures[0]
        return 0 if server.started else 1


def _run_workers(settings: Settings, sock: socket.socket, workers: int) -> int:
    """Serve with several processes until the end; the exit code."""
    with tempfile.TemporaryDirectory(prefix="marine-serve-") as directory:  # only its owner can enter it
        shared = replace(settings, peers=Path(directory))
        supervisor = _Supervisor(_config(shared, workers), sockets=[sock])
        supervisor.run()
        return 0 if all(process.exitcode in (0, None, -signal.SIGTERM) for process in supervisor.processes) else 1


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, with pipes that end when their worker does.

    It asks its workers whether they live, and holds both ends of the pipe for the answer: for one that was killed after
    the question it would wait for a minute.
    """

    def init_processes(self) -> None:
        """See `Multiprocess.init_processes`."""
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        """See `Multiprocess.keep_subprocess_alive`."""
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        for process in self.processes:
            process.child_conn.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which does not end the process when loading fails: the error was logged."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`."""
        await super().startup(sockets)
        if self.started:
            self._on_start()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.run`."""
        with contextlib.suppress(SystemExit):
            super().run(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See `uvicorn.Server.capture_signals`; a signal that was obeyed does not end the process once more."""
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _config(settings: Settings, workers: int) -> uvicorn.Config:
    """The configuration of a process; it can be pickled."""
    limits = settings.limits
    limits = replace(limits, connections=min(limits.connections, _descriptors() - _SPARE))
    settings = replace(settings, limits=limits)
    return uvicorn.Config(
        partial(make, settings),
        factory=True,
        http=partial(_protocol, limits),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(max(1, limits.idle_time)),
        timeout_graceful_shutdown=int(max(1, limits.drain)),
        timeout_worker_healthcheck=_START,
        backlog=2048,
    )


class _Application(Application):
    """The application of a process that does nothing else."""

    async def start(self) -> None:
        """See `Application.start`. What was loaded stays, so the garbage collector need not look at it any more."""
        await super().start()
        supervisor = parent_process()
        if supervisor is not None and self.settings.peers is not None:
            self._tasks.append(asyncio.get_running_loop().create_task(_end_with(supervisor)))
        if not self.settings.reload:
            gc.collect()
            gc.freeze()


async def _end_with(supervisor: BaseProcess) -> None:
    """End this process when its supervisor has ended, as after a kill."""
    while supervisor.is_alive():
        await asyncio.sleep(1.0)
    logger.error("the supervisor has ended, so this worker ends too")
    signal.raise_signal(signal.SIGTERM)


_connections: list[Connections] = []
"""Those of this process; uvicorn makes the protocols and the application apart from each other."""


def make(settings: Settings) -> Application:
    """The application of a process."""
    logs.configure(as_json=settings.json_log)
    application = _Application(settings)
    application.guarded = True
    application.connections = lambda: sum(item.open for item in _connections)
    return application


def _protocol(limits: ServeLimits, **options: Any) -> Any:
    """A protocol for a new connection."""
    if not _connections:
        _connections.append(Connections(limits))
    return _connections[0].make(**options)


def _descriptors() -> int:
    if sys.platform == "win32":
        return _MOST_DESCRIPTORS
    import resource  # there is none on Windows

    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _MOST_DESCRIPTORS)


def _raise_descriptors() -> None:
    """Use as many descriptors as the system allows."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 1 << 16)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

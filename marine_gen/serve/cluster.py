"""Copies of the service on the nodes of a Ray cluster, for a server with `--ray`."""

from __future__ import annotations

import socket
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from marine_gen.artifact import BUILT_ENGINES, build, read_target
from marine_gen.console.host_file import read_host_functions
from marine_gen.serve.settings import Settings
from marine_runtime import ConfigError, Service, load
from marine_runtime.artifact import MANIFEST, read_manifest
from marine_runtime.pool import BasePool
from marine_runtime.texts import os_reason

if TYPE_CHECKING:
    from marine_runtime.ray import RayServicePool


_PATIENCE = 5.0  # seconds for a connection


def check_address(address: str) -> None:
    """Refuse an address that can't be used.

    Raises:
        ConfigError: Ray is not installed, the address is one of Ray's client, or nothing answers there.
    """
    if find_spec("ray") is None:
        raise ConfigError("Ray is not installed: run `pip install 'marine-gen[ray]'`")
    if address.startswith("ray://"):
        raise ConfigError(
            f"`{address}` is an address of Ray's client, which a server can't use: run it on a machine of the cluster, "
            "with `auto` or HOST:PORT as the address"
        )
    host, _, port = address.rpartition(":")
    if port.isdecimal():  # Ray itself tries for minutes
        try:
            socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"there is no Ray cluster at `{address}`: {os_reason(error)}; "
                "`ray status` on a machine of the cluster says its address"
            ) from None


class ClusterSource:
    """Loads copies of the service on the nodes; see `InstanceSource`. Their use of memory is not known here.

    Attributes:
        name: the name of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = dict(settings.options)
        self._folder: TemporaryDirectory[str] | None = None
        self._directory = self._built()
        self.name = load_name(self._directory)
        self._pool: RayServicePool | None = None
        host_file = settings.host_file
        self._host_functions = None if host_file is None else partial(read_host_functions, host_file.resolve())

    def __call__(self) -> Service:
        """A copy in this process, for calls on the event loop.

        Raises:
            As `marine_runtime.load`.
        """
        functions = self._host_functions
        given: dict[str, Any] = {} if functions is None else {"host_functions": functions()}
        return load(self._directory, **self._options, **given)

    def pool(self, threads: int, queue: int, *, name: str, sticky: bool = False) -> BasePool:
        """A pool of actors; a `sticky` one is a service that keeps its state, and has an error when it is gone.

        Raises:
            As `RayServicePool`. ConfigError: there is no cluster at the address.
        """
        if sticky:
            assert self._pool is not None
            return self._pool.service(uuid4().hex)
        from marine_runtime.ray import RayServicePool, connect

        connect(str(self._settings.ray))
        self._pool = RayServicePool(
            self._directory,
            workers=threads,
            timeout=self._settings.limits.timeout,
            queue=queue,
            name=name,
            options=self._options,
            host_functions=self._host_functions,
        )
        return self._pool

    def _built(self) -> Path:
        """The built directory: the target, or what is built of it."""
        target: Any = self._settings.target
        if isinstance(target, (str, Path)) and (Path(target) / MANIFEST).is_file():
            return Path(target)
        self._folder = TemporaryDirectory(prefix="marine-serve-build-")
        directory = Path(self._folder.name) / "service"
        engine = self._options.get("engine") or BUILT_ENGINES[0]
        strict = bool(self._options.get("strict"))
        build(read_target(target, strict=strict), directory, engine=engine, native=False, strict=strict)
        return directory


def load_name(directory: Path) -> str:
    """The name of the service in a built directory."""
    return read_manifest(directory).name

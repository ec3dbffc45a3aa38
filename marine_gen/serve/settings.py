"""Settings of a server, with their defaults; every limit has one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from marine_runtime import ConfigError
from marine_runtime.artifact import check_boolean, check_mapping

Inline = Literal["auto"] | frozenset[str]
"""Functions that run on the event loop, as `module.function`; `auto` takes those that were measured to be short."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Addresses to listen on that no other machine reaches."""


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """Limits on the requests of clients.

    Attributes:
        body: bytes of a request body.
        bodies: bytes of all larger request bodies that a process holds at a time; at least `body`.
        depth: levels of arrays and objects that a JSON body may nest, at most 128.
        arrays: arrays and objects in a JSON body, and brackets in its strings.
        batch: calls in one batch.
        timeout: seconds that a call may run, unless the client asks for less or, up to `longest`, for more.
        longest: seconds that a client may ask for.
        body_time: seconds that a request body may take to arrive, and a response to be taken.
        header_time: seconds that the head of a request may take to arrive.
        header_size: bytes of the head of a request.
        idle_time: seconds that a connection may be idle between requests.
        connections: open connections of a process; beyond, those that have been idle longest are closed.
        threads: copies of the service in a process, each on a thread of its own.
        queue: calls that may wait for a thread.
        instances: instances of a process that keep their state for a client.
        instance_time: seconds that an instance is kept after its last call.
        drain: seconds that running calls get when the server ends.
    """

    body: int = 8 << 20
    bodies: int = 64 << 20
    depth: int = 64
    arrays: int = 250_000
    batch: int = 1000
    timeout: float = 30.0
    longest: float = 300.0
    body_time: float = 30.0
    header_time: float = 10.0
    header_size: int = 32 << 10
    idle_time: float = 15.0
    connections: int = 1000
    threads: int = 2
    queue: int = 256
    instances: int = 16
    instance_time: float = 600.0
    drain: float = 30.0

    def __post_init__(self) -> None:
        """Refuse what is not a limit.

        Raises:
            ConfigError: a number is out of range.
        """
        for item in fields(self):
            name, value = item.name, getattr(self, item.name)
            whole = isinstance(item.default, int)
            least = 0 if name == "instances" else 1 if whole else 0.001
            kind = int if whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < 2**53:
                wanted = "whole number" if whole else "number"
                raise ConfigError(
                    f"the limit `{name}` must be a {wanted} of at least {least} and below 2^53, not {value!r:.80}"
                )
        if self.depth > 128:
            raise ConfigError(f"the limit `depth` must be at most 128, not {self.depth}")
        if self.body > self.bodies:
            object.__setattr__(self, "bodies", self.body)
        if self.timeout > self.longest:
            object.__setattr__(self, "longest", self.timeout)


_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")


@dataclass(frozen=True, slots=True)
class Access:
    """Rules for the clients that may call the server.

    Attributes:
        token: the token that clients send as `Authorization: Bearer …`; None when no token is required.
        hosts: names, without port, that requests may be addressed to besides `localhost` and IP addresses. With a token
            any name is accepted, unless some are listed.
    """

    token: str | None = None
    hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse tokens that no header field can carry, or that are easily guessed.

        Raises:
            ConfigError: the token is too short, or has characters that are not allowed in a header field; a
                host is not a name.
        """
        if isinstance(self.hosts, str) or not isinstance(self.hosts, Iterable):
            raise ConfigError(f"the hosts that requests may be addressed to are a set of names, not {self.hosts!r:.80}")
        for name in self.hosts:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigError(f"{name!r} is not a host name: write the name alone, such as `example.org`")
        token = self.token
        if token is None:
            return
        if (
            not isinstance(token, str)
            or len(token) < 16
            or not token.isascii()
            or not token.isprintable()
            or " " in token
        ):
            raise ConfigError("the token must have at least 16 printable ASCII characters and no spaces")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server except its address. They can be pickled.

    Attributes:
        target: the target, as `marine_gen.load` takes it.
        options: further arguments of `marine_gen.load`.
        host_file: a Python file with host functions, read by every process.
        limits: see `ServeLimits`.
        access: see `Access`.
        inline: see `Inline`.
        call_parameters: whether clients may give call parameters in header fields.
        page: whether to offer the page at `/` and `/docs`.
        access_log: whether to log every request.
        json_log: whether logs are JSON documents, a line each.
        ray: the address of a Ray cluster whose nodes run the copies; None for threads of each process.
        reload: whether to watch the files of the target.
        peers: a directory for sockets between the processes of one server; None when there is one process.
    """

    target: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    host_file: Path | None = None
    limits: ServeLimits = ServeLimits()
    access: Access = Access()
    inline: Inline = frozenset()
    call_parameters: bool = False
    page: bool = True
    access_log: bool = True
    json_log: bool = False
    ray: str | None = None
    reload: bool = False
    peers: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what is not a setting; what it means for the service is found when that is loaded.

        Raises:
            ConfigError, ArgumentError: a value has the wrong type.
        """
        check_mapping(self.options, "`options`")
        for name, kind, wanted in (("limits", ServeLimits, "ServeLimits(…)"), ("access", Access, "Access(token=…)")):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ConfigError(f"`{name}` must be {wanted}, not {type(value).__name__}")
        if self.inline != "auto":
            names = self.inline
            if isinstance(names, str) or not isinstance(names, Iterable) or not all(isinstance(n, str) for n in names):
                raise ConfigError(f'`inline` must be a set of `MODULE.FUNCTION`, or "auto", not {names!r:.80}')
            object.__setattr__(self, "inline", frozenset(names))
        for name in ("call_parameters", "page", "access_log", "json_log", "reload"):
            check_boolean(getattr(self, name), f"`{name}`")

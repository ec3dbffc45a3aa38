"""The context of a call, as an embedder gives it (docs/spec/host.md#call-parameters)."""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.lazy.data import dataclass, field


@dataclass(frozen=True, slots=True)
class SecurityTetraplet:
    """The origin of an argument of the call.

    Attributes:
        peer_pk: public key of the peer that produced the value.
        service_id: the service that it came from.
        function_name: the function that returned it.
        lens: the part of that function's result; guests of older versions know it as `lambda` or `json_path`.
    """

    peer_pk: str = ""
    service_id: str = ""
    function_name: str = ""
    lens: str = ""


@dataclass(frozen=True, slots=True)
class ParticleParameters:
    """The particle that made the call.

    Attributes:
        id: identifier of the particle.
        init_peer_id: the peer that started it.
        timestamp: when, as Unix time.
        ttl: its time to live, in milliseconds.
        script: its script.
        signature: signature of the peer that started it.
        token: its token.
    """

    id: str = ""
    init_peer_id: str = ""
    timestamp: int = 0
    ttl: int = 0
    script: str = ""
    signature: bytes = b""
    token: str = ""


@dataclass(frozen=True, slots=True)
class CallParameters:
    """The context of one call of a service.

    Attributes:
        particle: the particle that made the call.
        service_id: the called service; it has nothing to do with the environment variable of that name.
        service_creator_peer_id: the peer that created the service.
        host_id: the peer that runs it.
        worker_id: the worker that runs it.
        tetraplets: the origins of the arguments, a list for each argument.
    """

    particle: ParticleParameters = field(default_factory=ParticleParameters)
    service_id: str = ""
    service_creator_peer_id: str = ""
    host_id: str = ""
    worker_id: str = ""
    tetraplets: Sequence[Sequence[SecurityTetraplet]] = ()

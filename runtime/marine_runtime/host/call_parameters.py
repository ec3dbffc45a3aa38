"""The import `get_call_parameters`: the context of a call, for guests (docs/spec/host.md#call-parameters).

Embedders give the newest layout. A guest sees the layout of the host API version that it was built for; `Context`
holds the parameters of the current call and converts them down when a guest asks, so calls without them cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.calls.parameters import CallParameters
from marine_runtime.errors import ArgumentError
from marine_runtime.host.function import HostFunction
from marine_runtime.lazy.typing import Any
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, Records, RecordType
from marine_runtime.values.coerce import coercion

NAME = "get_call_parameters"


def _strings(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Prim.STRING) for name in names)


def _tetraplet(last: str) -> RecordType:
    return RecordType("SecurityTetraplet", _strings("peer_pk", "service_id", "function_name", last))


_PARTICLE = RecordType(
    "ParticleParameters",
    (
        *_strings("id", "init_peer_id"),
        Field("timestamp", Prim.U64),
        Field("ttl", Prim.U32),
        Field("script", Prim.STRING),
        Field("signature", Prim.BYTE_ARRAY),
        Field("token", Prim.STRING),
    ),
)
_SERVICE = ("service_id", "service_creator_peer_id", "host_id")
_TETRAPLETS = Field("tetraplets", Array(Array(Record(0))))


def _flat(*names: str) -> Records:
    record = RecordType("CallParameters", (*_strings("init_peer_id", *_SERVICE, *names), _TETRAPLETS))
    return {0: _tetraplet("json_path"), 2: record}


def _nested(last: str) -> Records:
    fields = (Field("particle", Record(1)), *_strings(*_SERVICE, "worker_id"), _TETRAPLETS)
    return {0: _tetraplet(last), 1: _PARTICLE, 2: RecordType("CallParameters", fields)}


LAYOUTS: Mapping[str, Records] = dict(
    zip(
        HOST_NAMESPACES,
        (_flat("particle_id"), _flat("worker_id", "particle_id"), _nested("lambda"), _nested("lens")),
        strict=True,
    )
)
"""Records of `get_call_parameters` by namespace; record 2 is the result."""

_NEWEST = LAYOUTS[HOST_NAMESPACES[-1]]


def _to_v0(newest: Any) -> Any:
    particle, service_id, creator, host_id, _, tetraplets = newest
    return (particle[1], service_id, creator, host_id, particle[0], tetraplets)


def _to_v1(newest: Any) -> Any:
    particle, service_id, creator, host_id, worker_id, tetraplets = newest
    return (particle[1], service_id, creator, host_id, worker_id, particle[0], tetraplets)


_DOWN: Mapping[str, Callable[[Any], Any] | None] = dict(
    zip(HOST_NAMESPACES, (_to_v0, _to_v1, None, None), strict=True)  # versions 2 and 3 differ in a field's name only
)


_accept = coercion(Record(2), _NEWEST, "call_parameters")


def checked(parameters: Any) -> Any:
    """Call parameters as an internal value of the newest layout.

    Raises:
        ArgumentError: they are something else, or a field has a value that does not fit.
    """
    if not isinstance(parameters, CallParameters):
        raise ArgumentError(f"call_parameters must be CallParameters, not {type(parameters).__name__}")
    return _accept(parameters)


_DEFAULT = checked(CallParameters())


class Context:
    """The call parameters that all modules of one service see now: the defaults, except during a call that has some."""

    __slots__ = ("_down", "_now")

    def __init__(self) -> None:
        self._now = _DEFAULT
        self._down: dict[str, tuple[Any, Any]] = {}

    @contextmanager
    def of(self, parameters: CallParameters) -> Iterator[None]:
        """For the time of a call, `parameters`; afterwards, also when it fails, what there was before.

        Raises:
            ArgumentError: a field has a value that does not fit.
        """
        before, self._now = self._now, checked(parameters)
        try:
            yield
        finally:
            self._now = before

    def host_function(self, namespace: str) -> HostFunction:
        """`get_call_parameters` of one host API version."""
        down = _DOWN[namespace]

        def get_call_parameters() -> Any:
            return self._now

        def get_older() -> Any:
            newest, older = self._down.get(namespace, (None, None))
            if newest is not self._now:
                assert down is not None
                older = down(self._now)
                self._down[namespace] = self._now, older
            return older

        run = get_older if down else get_call_parameters
        return HostFunction(run, FunctionType((), (Record(2),)), LAYOUTS[namespace], settled=True)

"""Functions that the host gives to modules: the embedder's own, the logger, the call parameters.

Host imports have no adapters in the module (spec interface-types Appendix C). The runtime lifts their arguments and
lowers their result with the generic codec, by the types given here; every engine uses the same code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marine_runtime.backend.api import Codes
from marine_runtime.codec import Codec
from marine_runtime.errors import ArgumentError, CallError
from marine_runtime.records import make_record_classes, to_public
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, Records, RecordType, layout
from marine_runtime.values import coerce

HOST_NAMESPACES = ("host", "__marine_host_api_v1", "__marine_host_api_v2", "__marine_host_api_v3")
"""The host API versions 0 to 3 (spec marine-runtime §2.4). Functions without an own namespace appear in all four."""

HostType = IType | RecordType
"""A type of a host function; a record is given by its declaration."""


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A Python function that modules may import.

    Attributes:
        function: gets public values, gives a public value (None without a result).
        type: its signature; record ids refer to `records`.
        records: declarations of the records it uses.
    """

    function: Callable[..., Any]
    type: FunctionType
    records: Records = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        params: Sequence[HostType | tuple[str, HostType]] = (),
        result: HostType | None = None,
    ) -> HostFunction:
        """A host function with the given parameter types (optionally named) and result type.

        Record declarations may stand where a type is expected, also in arrays and in fields of other declarations.

        Raises:
            ArgumentError: a record is given by number.
        """
        numbers: dict[RecordType, int] = {}
        records: dict[int, RecordType] = {}

        def number(ty: HostType) -> IType:
            if isinstance(ty, Array):
                return Array(number(ty.element))
            if isinstance(ty, Record):
                raise ArgumentError(f"{ty} is a number that only a module knows; give the record's declaration")
            if not isinstance(ty, RecordType):
                return ty
            if ty not in numbers:
                fields = tuple(Field(item.name, number(item.type)) for item in ty.fields)
                numbers[ty] = len(numbers)
                records[numbers[ty]] = RecordType(ty.name, fields)
            return Record(numbers[ty])

        fields = []
        for position, param in enumerate(params):
            name, ty = param if isinstance(param, tuple) else (f"arg_{position}", param)
            fields.append(Field(name, number(ty)))
        results = () if result is None else (number(result),)
        return cls(function, FunctionType(tuple(fields), results), records)

    @property
    def uses_memory(self) -> bool:
        """Whether a parameter or the result lives in the guest's memory."""
        return not all(layout(ty).code for ty in (*(param.type for param in self.type.params), *self.type.results))

    def codes(self) -> tuple[Codes, Codes]:
        """The raw signature: flattened parameters; a result in memory has no raw result (Appendix C)."""
        params = "".join(_codes(param.type) for param in self.type.params)
        results = "".join(_codes(result) for result in self.type.results if layout(result).code)
        return params, results


_CARRIER_CODES = {Prim.I32: "i", Prim.I64: "q", Prim.F32: "f", Prim.F64: "d"}


def _codes(ty: IType) -> Codes:
    carrier = layout(ty).carrier
    if not layout(ty).code:
        return "I" * len(carrier)
    code = _CARRIER_CODES[carrier[0]]
    return code.upper() if ty in (Prim.U32, Prim.U64) else code


@dataclass(slots=True)
class GuestSide:
    """What a host import needs of its caller. The codec has the host function's records, not the caller's."""

    codec: Codec
    set_result_ptr: Callable[[int], None]
    set_result_size: Callable[[int], None]


def adapt(host: HostFunction, name: str, guest: Callable[[Records], GuestSide]) -> Callable[..., Any]:
    """`host` as a function over raw values of the Wasm signature `host.codes()`.

    `guest` is asked at the first call, because the caller does not exist yet, and only when memory is needed.
    """
    classes = make_record_classes(host.records, name)
    publish = [to_public(param.type, host.records, classes) for param in host.type.params]
    result_type = host.type.results[0] if host.type.results else None
    side: GuestSide | None = None

    def call(*raw: Any) -> Any:
        nonlocal side
        if side is None and host.uses_memory:
            side = guest(host.records)
        values = iter(raw)
        args = []
        for param, public in zip(host.type.params, publish, strict=True):
            value = _lift(side, param.type, values, f"$.{param.name}")
            args.append(public(value) if public else value)
        result = host.function(*args)
        if result_type is None:
            return None
        try:
            internal = coerce(result, result_type, host.records)
        except ArgumentError as error:
            raise CallError(f"the host function returned a value that does not fit: {error}") from error.__cause__
        return _lower(side, result_type, internal)

    return call


def _lift(side: GuestSide | None, ty: IType, values: Any, path: str) -> Any:
    first = next(values)
    if ty is Prim.BOOLEAN:
        return first != 0
    if ty in (Prim.S8, Prim.S16, Prim.U8, Prim.U16):
        # Narrow integers are truncated, as the reference does (Appendix C).
        bits = layout(ty).size * 8
        low = first & ((1 << bits) - 1)
        return low - (1 << bits) if ty in (Prim.S8, Prim.S16) and low >> (bits - 1) else low
    if layout(ty).code:
        return first
    assert side is not None
    codec = side.codec
    if isinstance(ty, Record):
        return codec.lift_record(ty.id, first, path)
    if ty is Prim.STRING:
        return codec.lift_string(first, next(values), path)
    element = ty.element if isinstance(ty, Array) else Prim.U8
    return codec.lift_array(element, first, next(values), path)


def _lower(side: GuestSide | None, ty: IType, value: Any) -> Any:
    if layout(ty).code:
        return int(value) if ty is Prim.BOOLEAN else value
    assert side is not None
    if isinstance(ty, Record):
        side.set_result_ptr(side.codec.lower_record(ty.id, value))
        return None
    if ty is Prim.STRING:
        ptr, size = side.codec.lower_string(value)
    else:
        element = ty.element if isinstance(ty, Array) else Prim.U8
        ptr, size = side.codec.lower_array(element, value)
    side.set_result_ptr(ptr)
    side.set_result_size(size)
    return None


# What every module gets without asking (spec marine-runtime §4.2, §4.3).

_LOG_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}
_TRACE = 5


def logger(module: str) -> HostFunction:
    """`log_utf8_string(level, target, message)` into Python's `logging`, under the module's import name."""
    log = logging.getLogger(module)

    def log_utf8_string(level: int, target: int, message: bytes) -> None:
        try:
            text = message.decode()
        except UnicodeDecodeError:
            log.warning("a log message of this module is not UTF-8 and is lost")
            return
        log.log(_LOG_LEVELS.get(level, _TRACE), "%s", text)

    return HostFunction.of(
        log_utf8_string, [("level", Prim.S32), ("target", Prim.S32), ("message", Prim.BYTE_ARRAY)], None
    )


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

CALL_PARAMETERS: Mapping[str, Records] = {
    "host": {
        0: _tetraplet("json_path"),
        2: RecordType("CallParameters", (*_strings("init_peer_id", *_SERVICE, "particle_id"), _TETRAPLETS)),
    },
    "__marine_host_api_v1": {
        0: _tetraplet("json_path"),
        2: RecordType(
            "CallParameters", (*_strings("init_peer_id", *_SERVICE, "worker_id", "particle_id"), _TETRAPLETS)
        ),
    },
    **{
        namespace: {
            0: _tetraplet(last),
            1: _PARTICLE,
            2: RecordType(
                "CallParameters",
                (Field("particle", Record(1)), *_strings(*_SERVICE, "worker_id"), _TETRAPLETS),
            ),
        }
        for namespace, last in (("__marine_host_api_v2", "lambda"), ("__marine_host_api_v3", "lens"))
    },
}
"""Records of `get_call_parameters` by host API version; record 2 is the result."""


def call_parameters(namespace: str) -> HostFunction:
    """`get_call_parameters` of one host API version; every field has its default value."""
    records = CALL_PARAMETERS[namespace]
    defaults = _default(Record(2), records)
    return HostFunction(lambda: defaults, FunctionType((), (Record(2),)), records)


def _default(ty: IType, records: Records) -> Any:
    if isinstance(ty, Record):
        return tuple(_default(item.type, records) for item in records[ty.id].fields)
    if isinstance(ty, Array):
        return []
    return {Prim.STRING: "", Prim.BYTE_ARRAY: b"", Prim.BOOLEAN: False}.get(ty, 0)


def resolve(
    module: str, namespace: str, name: str, functions: Mapping[str | tuple[str, str], HostFunction]
) -> HostFunction | None:
    """The host function for one Wasm import: the embedder's by (namespace, name), then by name, then a built-in."""
    if (namespace, name) in functions:
        return functions[namespace, name]
    if namespace not in HOST_NAMESPACES:
        return None
    if name in functions:
        return functions[name]
    if name == "log_utf8_string":
        return logger(module)
    return call_parameters(namespace) if name == "get_call_parameters" else None


def missing_helper(name: str) -> Callable[..., Any]:
    """Stands for an ABI helper that the guest does not export; says so when a host import needs it."""

    def fail(*_: Any) -> Any:
        raise CallError(f"the module exports no usable `{name}`, which the result of a host function needs")

    return fail

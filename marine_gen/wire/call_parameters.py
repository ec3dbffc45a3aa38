"""Call parameters out of JSON, as the interactive loop and clients of the server write them. Every key is optional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marine_runtime import ArgumentError, CallParameters, ParticleParameters, SecurityTetraplet
from marine_runtime.texts import suggestion
from marine_runtime.values import MAX_DEPTH, parse, problem_in

_TEXTS = ("service_id", "service_creator_peer_id", "host_id", "worker_id")
_PARTICLE_TEXTS = ("id", "init_peer_id", "script", "token")
_PARTICLE_NUMBERS = {"timestamp": 64, "ttl": 32}
_TETRAPLET = ("peer_pk", "service_id", "function_name", "lens")


def read_call_parameters(text: str, *, lenient: bool = False) -> CallParameters:
    """The call parameters that a JSON text represents.

    Args:
        text: JSON.
        lenient: ignore unknown keys, as Marine does; like Marine, require all keys of a tetraplet.

    Raises:
        ArgumentError: it is not JSON, not an object, has an unknown key, or a known one has a wrong value.
    """
    given = _object(parse(text), "$", (*_TEXTS, "particle", "tetraplets"), lenient=lenient)
    values: dict[str, Any] = {key: _text(given[key], f"$.{key}") for key in _TEXTS if key in given}
    if "particle" in given:
        known = (*_PARTICLE_TEXTS, *_PARTICLE_NUMBERS, "signature")
        values["particle"] = _particle(_object(given["particle"], "$.particle", known, lenient=lenient))
    if "tetraplets" in given:
        rows = _list(given["tetraplets"], "$.tetraplets")
        values["tetraplets"] = [
            [
                _tetraplet(item, f"$.tetraplets[{at}][{index}]", lenient=lenient)
                for index, item in enumerate(_list(row, f"$.tetraplets[{at}]"))
            ]
            for at, row in enumerate(rows)
        ]
    return CallParameters(**values)


def _particle(given: dict[str, Any]) -> ParticleParameters:
    values: dict[str, Any] = {key: _text(given[key], f"$.particle.{key}") for key in _PARTICLE_TEXTS if key in given}
    for key, bits in _PARTICLE_NUMBERS.items():
        if key in given:
            values[key] = _number(given[key], bits, f"$.particle.{key}")
    if "signature" in given:
        where = "$.particle.signature"
        items = _list(given["signature"], where)
        values["signature"] = bytes(_number(item, 8, f"{where}[{index}]") for index, item in enumerate(items))
    return ParticleParameters(**values)


def _tetraplet(document: Any, where: str, *, lenient: bool) -> SecurityTetraplet:
    given = _object(document, where, _TETRAPLET, lenient=lenient)
    for key in _TETRAPLET if lenient else ():
        if key not in given:
            raise _wrong(where, f"the field `{key}` is missing")
    return SecurityTetraplet(**{key: _text(given[key], f"{where}.{key}") for key in _TETRAPLET if key in given})


def _object(value: Any, where: str, known: Sequence[str], *, lenient: bool) -> dict[str, Any]:
    """`value` if it is an object with `known` keys; what others hold is checked, also where they are ignored."""
    if not isinstance(value, dict):
        raise _wrong(where, "an object is expected")
    for key, item in value.items():
        if key in known:
            continue
        if not lenient:
            raise _wrong(where, f"there is no field `{key}`{suggestion(key, list(known))}")
        if problem := problem_in({key: item}, MAX_DEPTH):
            raise _wrong(where, f"the field {key!a:.80}, which is ignored, {problem}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(where, "an array is expected")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "a string is expected")
    return value


def _number(value: Any, bits: int, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise _wrong(where, f"a number from 0 to {(1 << bits) - 1} is expected")
    return int(value)


def _wrong(where: str, problem: str) -> ArgumentError:
    return ArgumentError(f"{where}: {problem}")

"""Call parameters out of JSON: every key is optional, keys that nobody knows are ignored."""

from __future__ import annotations

from typing import Any

from marine_gen.repl.failure import CommandError
from marine_runtime import CallParameters, ParticleParameters, SecurityTetraplet

_TEXTS = ("service_id", "service_creator_peer_id", "host_id", "worker_id")
_PARTICLE_TEXTS = ("id", "init_peer_id", "script", "token")
_PARTICLE_NUMBERS = {"timestamp": 64, "ttl": 32}
_TETRAPLET = ("peer_pk", "service_id", "function_name", "lens")


def call_parameters(document: Any) -> CallParameters:
    """The call parameters that a JSON document stands for.

    Raises:
        CommandError: it is not an object, or a known key has a wrong value.
    """
    given = _object(document, "$")
    values: dict[str, Any] = {key: _text(given[key], f"$.{key}") for key in _TEXTS if key in given}
    if "particle" in given:
        values["particle"] = _particle(_object(given["particle"], "$.particle"))
    if "tetraplets" in given:
        rows = _list(given["tetraplets"], "$.tetraplets")
        values["tetraplets"] = [
            [
                _tetraplet(item, f"$.tetraplets[{at}][{index}]")
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


def _tetraplet(document: Any, where: str) -> SecurityTetraplet:
    given = _object(document, where)
    for key in _TETRAPLET:
        if key not in given:
            raise _wrong(where, f"the field `{key}` is missing")
    return SecurityTetraplet(**{key: _text(given[key], f"{where}.{key}") for key in _TETRAPLET})


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, "an object is expected")
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


def _wrong(where: str, problem: str) -> CommandError:
    return CommandError(f"invalid call parameters: {where}: {problem}")

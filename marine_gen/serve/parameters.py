"""Options of calls from header fields: the time limit, and call parameters where they are allowed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from marine_gen.console.numbers import number_in
from marine_gen.serve.backend import Options
from marine_gen.serve.settings import Settings
from marine_gen.wire.problems import ProblemError
from marine_runtime import ArgumentError, CallParameters, ParticleParameters, SecurityTetraplet
from marine_runtime.host import checked_parameters

TIMEOUT = b"x-marine-timeout"
CALL_PARAMETERS = b"x-marine-call-parameters"


class OptionsReader:
    """Reads the options of calls."""

    def __init__(self, settings: Settings) -> None:
        self._limits, self._allowed = settings.limits, settings.call_parameters
        self._default = Options(settings.limits.timeout)

    def read(self, headers: Mapping[bytes, bytes]) -> Options:
        """The options of one request.

        Raises:
            ProblemError: a header field is wrong, or not allowed.
        """
        if TIMEOUT not in headers and CALL_PARAMETERS not in headers:
            return self._default
        timeout = self._limits.timeout
        if TIMEOUT in headers:
            timeout = _seconds(headers[TIMEOUT], self._limits.longest)
        parameters = None
        if CALL_PARAMETERS in headers:
            if not self._allowed:
                raise ProblemError("request", "this server does not take call parameters from clients")
            parameters = _call_parameters(headers[CALL_PARAMETERS])
        return Options(timeout, parameters)


def _seconds(value: bytes, longest: float) -> float:
    seconds = number_in(value.decode("latin-1"))
    if not 0 < seconds <= longest:
        raise ProblemError("request", f"X-Marine-Timeout must be a number of seconds, more than 0, at most {longest:g}")
    return seconds


def _call_parameters(value: bytes) -> CallParameters:
    try:
        document = json.loads(value)
        parameters: CallParameters = _build(
            CallParameters,
            document,
            particle=lambda item: _build(ParticleParameters, item, signature=bytes),
            tetraplets=_tetraplets,
        )
        checked_parameters(parameters)
    except (ValueError, TypeError, AttributeError, RecursionError, ArgumentError) as error:
        raise ProblemError("request", f"X-Marine-Call-Parameters: {error}") from None
    return parameters


def _build(kind: Callable[..., Any], document: Any, **convert: Callable[[Any], Any]) -> Any:
    """An instance of a dataclass from a JSON object with some of its fields."""
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(document.keys() - known)
    if unknown:
        raise ValueError(f"there is no field `{unknown[0]}`")
    return kind(**{name: convert.get(name, lambda item: item)(value) for name, value in document.items()})


def _tetraplets(value: Any) -> list[list[Any]]:
    return [[_build(SecurityTetraplet, item) for item in row] for row in value]

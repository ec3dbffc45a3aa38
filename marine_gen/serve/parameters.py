"""Options of calls from header fields: the time limit, and call parameters where they are allowed."""

from __future__ import annotations

from collections.abc import Mapping

from marine_gen.console.numbers import number_in
from marine_gen.serve.runner import Options
from marine_gen.serve.settings import Settings
from marine_gen.wire.call_parameters import read_call_parameters
from marine_gen.wire.problems import ProblemError
from marine_runtime import ArgumentError, CallParameters
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
        parameters = read_call_parameters(value.decode())
        checked_parameters(parameters)
    except UnicodeDecodeError:
        raise ProblemError("request", "X-Marine-Call-Parameters is not UTF-8") from None
    except ArgumentError as error:
        raise ProblemError("request", f"X-Marine-Call-Parameters: {error}") from None
    return parameters

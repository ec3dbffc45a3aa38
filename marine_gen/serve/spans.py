"""Spans of OpenTelemetry around calls, when its API is installed and the program has set up a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Any

from marine_gen.serve.functions import Function

_NOTHING = nullcontext()
_EVERY = 1.0  # seconds


class Spans:
    """Makes spans; without OpenTelemetry it does nothing."""

    def __init__(self) -> None:
        try:
            from opentelemetry import propagate, trace
        except ImportError:
            self._trace: Any = None
            return
        self._trace, self._propagate = trace, propagate
        self._next, self._watched = 0.0, False
        self._tracer = trace.get_tracer("marine_gen.serve")

    def call(self, function: Function, headers: Mapping[bytes, bytes]) -> AbstractContextManager[None]:
        """A span of a call, below the one that the request names in `traceparent`."""
        return self._span(function, headers) if self.watched else _NOTHING

    @property
    def watched(self) -> bool:
        """True if there is a provider."""
        if self._trace is None:
            return False
        if monotonic() >= self._next:  # asking costs more than a call
            self._next = monotonic() + _EVERY
            self._watched = not isinstance(self._trace.get_tracer_provider(), self._trace.ProxyTracerProvider)
        return self._watched

    @contextmanager
    def _span(self, function: Function, headers: Mapping[bytes, bytes]) -> Iterator[None]:
        carrier = {
            name: headers[name.encode("ascii")].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode("ascii") in headers
        }
        attributes = {
            "rpc.system": "marine",
            "rpc.service": function.module,
            "rpc.method": function.name,
        }
        with self._tracer.start_as_current_span(
            f"{function.module}/{function.name}",
            context=self._propagate.extract(carrier),
            kind=self._trace.SpanKind.SERVER,
            attributes=attributes,
        ):
            yield

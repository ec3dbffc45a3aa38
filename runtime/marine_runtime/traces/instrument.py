"""Recording of a traced service: its adapters and host functions, each inside a timer that also measures values.

An event is a call that crosses a boundary: from Python into a module, from a module into another one, from a module
into a host function or a mounted binary, and the initialisers of a module. WASI functions are native and not seen. The
clock starts before an adapter lifts and stops after it lowered; the time for measuring and recording counts towards the
enclosing event, never the event's own. Calls that are refused before they begin are not crossings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.abi.sizes import memory_size
from marine_runtime.adapters.contract import Adapter, BoundAdapters, ImportAdapter
from marine_runtime.calls.guard import Guard
from marine_runtime.errors import ArgumentError
from marine_runtime.host.function import HostFunction
from marine_runtime.host.mounted_binary import is_mounted
from marine_runtime.lazy.data import replace
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import shortened
from marine_runtime.traces.recorder import MAX_MESSAGE, MAX_NAME, Span, Tracer
from marine_runtime.types import FunctionType, Records
from marine_runtime.values.bind import Binder

Run = Callable[..., Any]

PYTHON = "Python"
"""The caller of calls that no module makes."""

SENT, RECEIVED = "arg_bytes", "result_bytes"


class Instrumentation:
    """The crossings of one service."""

    def __init__(self, tracer: Tracer, service: str, guard: Guard) -> None:
        self._tracer = tracer
        self._guard = guard
        self._number = tracer.track(service)
        self._open: list[Span] = []

    def bound(self, plan: ModulePlan, engine: str, bound: BoundAdapters) -> BoundAdapters:
        """The adapters of one module, recorded. Batches are left out, so that every row of one is a call."""
        signatures, records = plan.exports, plan.records

        def inner(name: str, run: Adapter) -> Adapter:
            return self._over_values(f"{plan.name}.{name}", engine, signatures[name], records, run)

        return BoundAdapters(
            exports={name: inner(name, run) for name, run in bound.exports.items()},
            imports={key: self._import(plan.name, key, engine, item) for key, item in bound.imports.items()},
            hosts={index: self._host_call(plan, index, engine, run) for index, run in bound.hosts.items()},
            entries={name: self._entry(plan, name, engine, run) for name, run in bound.entries.items()},
            calls={name: inner(name, run) for name, run in bound.calls.items()},
        )

    def host(
        self, module: str, key: tuple[str, str], engine: str, host: HostFunction
    ) -> tuple[Callable[[Run], Run], Callable[[Run], Run]]:
        """The recorders of a host function: the one over raw values, and the one over internal values."""
        kind = "binary" if is_mounted(host) else "host"
        name = ".".join(key)

        def observe(run: Run) -> Run:
            def call(*values: Any) -> Any:
                span = self._open[-1] if self._open else None
                result = run(*values)
                if span is not None and span.kind == kind:
                    span.crossed = host.type, host.records, values, result
                return result

            return call

        return (lambda run: self.crossing(kind, name, module, engine, run)), observe

    def initialiser(self, name: str, engine: str, run: Run) -> Run:
        """The event of the code that a module runs when it is loaded."""
        return self.crossing("init", name, PYTHON, engine, run)

    def crossing(self, kind: str, name: str, caller: str, engine: str, run: Run) -> Run:
        """`run` as an event, without sizes."""
        name, caller = shortened(name, MAX_NAME), shortened(caller, MAX_NAME)

        def call(*raw: Any) -> Any:
            if not self._tracer.recording:
                return run(*raw)
            return self._timed(Span(self._number, kind, name, {"from": caller, "engine": engine}), run, raw)

        return call

    def _import(self, module: str, key: tuple[str, str], engine: str, adapter: ImportAdapter) -> ImportAdapter:
        return replace(adapter, run=self.crossing("import", ".".join(key), module, engine, adapter.run))

    def _host_call(self, plan: ModulePlan, index: int, engine: str, run: Run) -> Run:
        callee = plan.callee(index)
        return self.crossing("import", f"{callee.namespace}.{callee.name}", plan.name, engine, run)

    def _over_values(self, name: str, engine: str, signature: FunctionType, records: Records, run: Run) -> Run:
        """An export adapter: it measures the values of the import that calls it, or is an event of its own."""
        name = shortened(name, MAX_NAME)

        def call(*values: Any) -> Any:
            if not self._tracer.recording:
                return run(*values)
            span = self._open[-1] if self._open else None
            if span is not None and span.kind == "import" and not span.joined:
                span.joined = True
                result = run(*values)
                span.crossed = signature, records, values, result
                return result
            caller, kind = (PYTHON, "call") if span is None else (span.name, "import")
            span = Span(self._number, kind, name, {"from": caller, "engine": engine})
            result = self._timed(span, run, values)
            _weigh(span, signature, records, values, result)
            return result

        return call

    def _entry(self, plan: ModulePlan, function: str, engine: str, run: Run) -> Run:
        signature, records = plan.exports[function], plan.records
        bind = Binder(signature, records, function=function)
        name = shortened(f"{plan.name}.{function}", MAX_NAME)
        guard = self._guard

        @functools.wraps(run)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not self._tracer.recording or not guard.may_call():
                return run(*args, **kwargs)
            try:
                values = bind(args, kwargs)
            except ArgumentError:
                return run(*args, **kwargs)  # which says the same, and crosses nothing
            span = Span(self._number, "call", name, {"from": PYTHON, "engine": engine})
            result = self._timed(span, run, args, kwargs)
            _weigh(span, signature, records, values, result)
            return result

        return call

    def _timed(self, span: Span, run: Run, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
        self._tracer.begin(span)
        self._open.append(span)
        try:
            result = run(*args, **kwargs) if kwargs else run(*args)
        except BaseException as error:
            span.end = perf_counter_ns()
            span.details["error"] = _told(error)
            raise
        else:
            span.end = perf_counter_ns()
        finally:
            self._open.pop()
        if span.crossed is not None:
            _weigh(span, *span.crossed)
            span.crossed = None
        return result


def _told(error: BaseException) -> str:
    """Class and text of an error. A text that can't be had must not hide the error itself."""
    try:
        return shortened(f"{type(error).__name__}: {error}", MAX_MESSAGE)
    except Exception:
        return shortened(type(error).__name__, MAX_NAME)


def _weigh(span: Span, signature: FunctionType, records: Records, values: Sequence[Any], result: Any) -> None:
    """Note the sizes of a call that succeeded."""
    results = (result,) if len(signature.results) == 1 else result or ()
    try:
        params = [param.type for param in signature.params]
        sent = sum(memory_size(ty, records, value) for ty, value in zip(params, values, strict=True))
        received = sum(memory_size(ty, records, value) for ty, value in zip(signature.results, results, strict=True))
    except RecursionError:
        return  # nested too deeply to be weighed
    span.details[SENT], span.details[RECEIVED] = sent, received

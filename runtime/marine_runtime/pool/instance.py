"""One instance of the service in the thread that uses it: loading, running requests, replacing it when it is poisoned.

An instance is poisoned when a call was interrupted in the middle of guest code: by a trap, by its limit of time or
fuel, or by a Python exception in a host function. The guest's memory is then as that call left it. It is poisoned as
well when a call failed for want of memory, as memory is never given back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from marine_runtime.artifact.load import load
from marine_runtime.errors import FuelLimitError, LoadError, MarineError, MemoryLimitError, ResultError, TrapError
from marine_runtime.host.resolve import HostFunctions
from marine_runtime.pool.job import Reply, Request
from marine_runtime.pool.marshal import Flattener
from marine_runtime.service.interface import Interface
from marine_runtime.service.service import Service
from marine_runtime.values.scalars import Mismatch
from marine_runtime.wasm import WasmRuntime
from marine_runtime.wasm.forks import begin_in_child
from marine_runtime.wasm.native import monotonic
from marine_runtime.wasm.runtimes import RuntimeKey, own_runtimes

HostFunctionsSource = HostFunctions | Callable[[], HostFunctions]
"""Host functions, or a function that makes them; it is called once per instance, in the instance's thread."""

_POISON = (TrapError, FuelLimitError, MemoryLimitError, TimeoutError)

# Generated glue is executed under a name in `sys.modules`: threads take turns.
_loading = Lock()


def _begin_in_child() -> None:
    global _loading
    _loading = Lock()  # another thread may have held it


begin_in_child(_begin_in_child)


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything needed to load an instance. It is pickled for worker processes.

    Attributes:
        source: a built directory, or a function that returns a new service.
        replace_poisoned: whether an instance whose guest was interrupted is replaced.
    """

    source: str | Path | Callable[..., Service]
    host_functions: HostFunctionsSource | None = None
    options: Mapping[str, Any] | None = None
    replace_poisoned: bool = True

    def load(self, runtimes: dict[RuntimeKey, WasmRuntime]) -> Service:
        """A new instance, which runs on `runtimes`. Raises whatever loading raises."""
        functions = self.host_functions
        given: dict[str, Any] = dict(self.options or {})
        if functions is not None:
            given["host_functions"] = functions() if callable(functions) else functions
        with _loading, own_runtimes(runtimes):
            if callable(self.source):
                made = self.source(**given)
                if not callable(getattr(made, "call", None)) or not hasattr(made, "interface"):
                    raise LoadError(f"the source of the pool returned {type(made).__name__}, not a service")
                return made
            return load(self.source, **given)


class PoolInstance:
    """A loaded instance. Everything happens in one thread."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._runtimes: dict[RuntimeKey, WasmRuntime] = {}
        self._service = setup.load(self._runtimes)
        self._flatteners: dict[tuple[str, str], Flattener] = {}

    @property
    def interface(self) -> Interface:
        """The functions that the service exports."""
        return self._service.interface

    def run(self, request: Request) -> Reply:
        """Run the calls of a request; whatever they raise is in the reply."""
        module, function, results = request.module, request.function, list[Any]()
        errors: dict[int, BaseException] = {}
        limited = "timeout" in request.options
        start = monotonic() if limited else 0.0
        try:
            if len(request.rows) == 1:
                results = [self._service.call(module, function, request.rows[0], **request.options)]
            else:
                results = self._service.call_batch(module, function, request.rows, **request.options)
        except BaseException as error:  # of a host function, perhaps: its caller gets it, the worker lives on
            errors = dict.fromkeys(range(len(request.rows)), error)
            results = [None] * len(request.rows)
        seconds = monotonic() - start if limited else 0.0
        flatten = self._flattener(module, function)
        for position, item in enumerate(results):
            if isinstance(item, Exception):
                results[position], errors[position] = None, item
            elif flatten.needed and position not in errors:
                try:
                    results[position] = flatten(item)
                except (Mismatch, RecursionError) as problem:
                    results[position] = None
                    errors[position] = ResultError(f"the result can't be sent to the caller: {problem}")
        return Reply(results, errors, bool(errors) and any(map(self._poisons, errors.values())), seconds)

    def run_message(
        self, requests: Sequence[Request], begin: Callable[[int], bool], add: Callable[[int, Reply], None]
    ) -> bool:
        """Run the requests of a message that `begin` allows, and `add` their replies; give True when poisoned.

        The requests behind the one that poisoned the instance are left.
        """
        for position, request in enumerate(requests):
            if begin(position):
                reply = self.run(request)
                add(position, reply)
                if reply.poisoned:
                    return True
        return False

    def interrupt(self) -> None:
        """Interrupt the running call, if it has a time limit. Callable from any thread."""
        for runtime in list(self._runtimes.values()):
            runtime.interrupt()

    def _poisons(self, error: BaseException) -> bool:
        """True if guest code was interrupted, or memory has run out, which no later call would get either."""
        known = not isinstance(error, _POISON) and isinstance(error, MarineError)
        return self._setup.replace_poisoned and not known

    def _flattener(self, module: str, function: str) -> Flattener:
        found = self._flatteners.get((module, function))
        if found is None:
            item = self._service.interface.modules[module]
            found = self._flatteners[module, function] = Flattener(item.functions[function], item.records)
        return found

    def replace(self) -> PoolInstance:
        """Load the service again. The old instance is closed first: a budget of address space may not allow for both.

        Raises whatever loading raises.
        """
        self.close()
        self._service = self._setup.load(self._runtimes)
        self._flatteners.clear()
        return self

    def close(self) -> None:
        """Free the instance."""
        self._service.close()

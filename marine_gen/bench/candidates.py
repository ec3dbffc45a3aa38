"""One call of one service, ready to be timed on every engine, and on the slow path that a user would write by hand.

What is timed is the public entry, with arguments of the public types: what a Python program calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from marine_gen.artifact import ENGINES, ProgressCallback, Target, load
from marine_runtime import HostFunctions, LoadOptions, Service
from marine_runtime.values import arguments_from_json, to_public

ORACLE = "interpreter"
"""The engine that runs adapters instruction by instruction, as Marine does."""

BASELINE = f"{ORACLE} (fast calls)"
PUBLIC_BASELINE = f"{ORACLE} (public calls)"
"""The interpreter over wasmtime-py's public API: what there was before."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One engine over one call layer.

    Attributes:
        name: engine and call layer, as tables show it.
        call_layer: the call layer that is really in use.
        result: the result of the first call, as JSON.
        per: the number of calls that `call` makes.
        warnings: `Service.warnings`.
    """

    name: str
    engine: str
    call_layer: str
    call: Callable[[], Any]
    result: str
    per: int = 1
    warnings: tuple[str, ...] = ()


@contextmanager
def open_candidates(
    target: Target,
    choose: Callable[[Service], tuple[str, str]],
    arguments: str,
    *,
    host_functions: HostFunctions | None = None,
    batch: int = 0,
    options: LoadOptions | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[Sequence[Candidate]]:
    """Load `target` once per candidate, call it once, and give the candidates; services close with the block.

    Args:
        target: as `load` takes it.
        choose: the module and function to call, from a loaded service.
        arguments: as JSON text.
        host_functions: as `load` takes them.
        batch: also give candidates that make so many calls by `Service.call_batch`, one for each engine.
        options: further arguments of `load`, such as limits.
        progress: as `load` takes it.

    Raises:
        MarineError: as `load` and `Service.call_json` do.
    """
    combinations = [(engine, "fast") for engine in ENGINES] + [(ORACLE, "public")]
    with ExitStack() as stack:
        candidates = []
        for engine, call_layer in combinations:
            given: LoadOptions = {
                **(options or LoadOptions()),
                "call_layer": call_layer,
                "host_functions": host_functions,
            }
            service = load(target, engine=engine, progress=progress, **given)
            stack.enter_context(service)
            module, function = choose(service)
            result = service.call_json(module, function, arguments)
            values = public_arguments(service, module, function, arguments)
            call = partial(service.modules[module][function], *values)
            name = f"{engine} ({call_layer} calls)"
            told = service.warnings
            candidates.append(Candidate(name, engine, service.call_layer, call, result, warnings=told))
            if batch and call_layer == "fast":
                many = partial(service.call_batch, module, function, [values] * batch)
                name = f"{engine} (batches of {batch:,})"
                candidates.append(Candidate(name, engine, service.call_layer, many, result, batch))
        yield candidates


def public_arguments(service: Service, module: str, function: str, arguments: str) -> list[Any]:
    """Arguments from JSON as a Python caller would write them: records are instances of the service's own classes.

    Raises:
        ArgumentError: the text is not JSON or does not fit the signature.
    """
    interface = service.interface.modules[module]
    signature, records = interface.functions[function], interface.records
    classes = service.modules[module].records
    names = [record.name for record in records.values()]
    by_index = {
        # A record that shares its name with another one stays a tuple, which every entry takes too.
        index: classes[record.name]
        for index, record in records.items()
        if record.name in classes and names.count(record.name) == 1
    }
    values = arguments_from_json(arguments, signature, records, module=module, function=function)
    converters = [to_public(param.type, records, by_index) for param in signature.params]
    return [convert(value) if convert else value for convert, value in zip(converters, values, strict=True)]

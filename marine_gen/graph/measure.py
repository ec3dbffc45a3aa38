"""The cost of crossings: every adapter of a service timed over modules that do nothing (`stubs`).

So a cost is that of the adapters, of the copies they make, and of entering and leaving Wasm where the engine does; what
modules and host functions do is not in it. Values are small: see `stubs.sample`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from marine_gen.artifact import BACKENDS, CompiledModule, load
from marine_gen.bench import compare
from marine_gen.bench.measure import format_time
from marine_gen.graph.model import Key, callees
from marine_gen.graph.stubs import LOOP, NoSampleError, Stub, make_stub, sample
from marine_gen.ir.model import Side
from marine_runtime import MarineError, Service
from marine_runtime.abi import memory_size

_ROUNDS, _SECONDS = 5, 0.005
_MISSING = "not measured"
_INSIDE, _OUTSIDE = 1000, 10  # calls of an import in one entry, where its adapter is Wasm, and where it is Python


@dataclass(frozen=True, slots=True)
class Costs:
    """The result of a measurement.

    Attributes:
        texts: for people, by adapter; `not measured: …` where there is no figure.
        how: the meaning of the figures, in a sentence.
    """

    texts: dict[Key, str]
    how: str


def measure(
    compiled: Sequence[CompiledModule], engine: str, *, rounds: int = _ROUNDS, seconds: float = _SECONDS
) -> Costs:
    """Time every adapter of a service on `engine`.

    Args:
        compiled: its modules in load order.
        engine: one of `artifact.ENGINES`.
        rounds: samples of each adapter.
        seconds: the least duration of a sample.
    """
    how = (
        f"Cost: median of {rounds} rounds on this machine of the crossing alone, with engine {engine} and modules "
        "that do nothing: texts and byte arrays of 16 bytes, arrays of 4 numbers or 2 other values. What modules "
        "and host functions do, and the way to host functions, is not measured."
    )
    texts: dict[Key, str] = {}
    timed = partial(_time, rounds, seconds)
    try:
        stubs = {item.name: make_stub(item) for item in compiled}
        service = load({name: stub.wasm for name, stub in stubs.items()}, engine=engine, cache=False)
    except MarineError as error:
        return Costs({}, f"Not measured: modules of the same types could not be made ({error}).")
    with service:
        for module in compiled:
            for name in module.ir.exports:
                texts[module.name, Side.EXPORT, name] = timed(partial(_export, service, module, name))
            for number, adapter in enumerate(module.ir.imports.values()):
                calls = partial(_import, service, module, stubs[module.name], number, engine)
                spoilt = [text for key in callees(adapter) if _MISSING in (text := texts[key[0], Side.EXPORT, key[1]])]
                texts[module.name, Side.IMPORT, adapter.function] = spoilt[0] if spoilt else timed(calls)
    return Costs(texts, how)


def _export(service: Service, module: CompiledModule, name: str) -> tuple[Callable[[], Any], int]:
    """A call from Python, after one whose result was compared with the prepared one."""
    signature, records = module.ir.exports[name].signature, module.ir.records
    values = [sample(item.type, records) for item in signature.params]
    call = partial(service.modules[module.name][name], *values)
    found = call()
    results = (found,) if len(signature.results) == 1 else found or ()
    for ty, result in zip(signature.results, results, strict=True):
        if memory_size(ty, records, result) != memory_size(ty, records, sample(ty, records)):
            raise NoSampleError("a result prepared for it does not come back")
    return call, 1


def _import(
    service: Service, module: CompiledModule, stub: Stub, number: int, engine: str
) -> tuple[Callable[[], Any], int]:
    """Calls from a module, in its loop."""
    if number in stub.missing:
        raise NoSampleError(stub.missing[number])
    instance = service._linked[module.name].instance  # the loop has no adapter, so that it shifts no index
    assert instance is not None
    count = _INSIDE if BACKENDS[engine].fuses else _OUTSIDE
    return partial(instance.function(LOOP.format(number), "i", ""), count), count


def _time(rounds: int, seconds: float, prepare: Callable[[], tuple[Callable[[], Any], int]]) -> str:
    try:
        call, per = prepare()
        call()
        (timing,) = compare({"": call}, rounds=rounds, min_time=seconds, per=per)
    except (MarineError, NoSampleError) as reason:
        return f"{_MISSING}: {reason}"
    return format_time(timing.median)

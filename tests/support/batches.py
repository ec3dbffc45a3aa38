"""Random services with many calls each, run under every configuration and compared call by call.

A service is expensive and a call is cheap, so a batch has one service and hundreds of calls. Calls that fail are
compared too: class, message and place of the error and of its causes, and the guests after it, which go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from marine_gen.generate import Description, Named, Signature, Type, Vector
from marine_runtime import Service
from marine_runtime.types import Prim
from tests.support.draw import Draw
from tests.support.echo import TAKE_LOG, Memory, chain, echo_module, take_logs
from tests.support.engines import CONFIGURATIONS, Configuration, Outcome, load, outcome
from tests.support.programs import STATE, draw_value, program

_MEMORIES = (Memory(), Memory(gap=0), Memory(pages=2, base=2**16 + 13, gap=3), Memory(pages=40, base=2**21, gap=5))


@dataclass(frozen=True, slots=True)
class Batch:
    """One service and what is called on it.

    Attributes:
        calls: module, function, arguments.
        state: what the guests have seen so far, in a form that can be compared.
    """

    modules: dict[str, bytes]
    calls: list[tuple[str, str, list[Any]]]
    state: Callable[[Service], object]

    def rows(self) -> dict[tuple[str, str], list[list[Any]]]:
        """The arguments of all calls of each function."""
        found: dict[tuple[str, str], list[list[Any]]] = {}
        for module, function, row in self.calls:
            found.setdefault((module, function), []).append(row)
        return found


def interfaces_batch(random: Random, calls: int) -> Batch:
    """Described functions, over adapters as the SDK makes them; some guests echo, some damage what they return."""
    draw = Draw(str(random.getrandbits(64)))
    signatures = [draw.signature(f"f{index}", 4 if index % 6 else 12) for index in range(24)]
    modules = chain(signatures, [*draw.records.values()], random.choice(_MEMORIES))
    if random.random() < 0.5:
        description = Description(tuple(draw.records.values()), (*signatures, TAKE_LOG))
        bodies = {item.name: body for item in signatures if (body := _damaging(item, random.randrange(1, 256)))}
        modules["inner"] = echo_module(description, random.choice(_MEMORIES), bodies, _DAMAGE)
    made = []
    for number in range(calls):
        signature = signatures[number % len(signatures)]
        row = [draw.value(param.type) for param in signature.params]
        made.append((random.choice(("inner", "outer")), signature.name, damaged_row(random, row)))
    return Batch(modules, made, take_logs)


def programs_batch(random: Random, calls: int) -> Batch:
    """Adapters that no generator writes (see `programs`), over guests that compute, write and trap."""
    made = program(random, 24)
    functions = [*made.functions.items()]
    rows = []
    for number in range(calls):
        (module, function), params = functions[number % len(functions)]
        row = [draw_value(random, ty, made.records) for ty in params]
        rows.append((module, function, damaged_row(random, row)))
    return Batch(made.modules, rows, lambda service: [service.call(name, STATE) for name in service.modules])


BATCHES = {"interfaces": interfaces_batch, "programs": programs_batch}
"""The kinds of batches, by name."""


def damaged_row(random: Random, row: list[Any]) -> list[Any]:
    """Arguments, of which one in thirty rows has one that is not of its type."""
    if row and random.random() < 0.03:
        row[random.randrange(len(row))] = random.choice((None, "x", -1, 2**64, 1.5, [None], {}, "\ud800"))
    return row


# Every third call changes a byte of what it is about to return.
_DAMAGE = """
  (global $turn (mut i32) (i32.const 0))
  (func $damage (param $at i32) (param $size i32) (param $mask i32)
    (global.set $turn (i32.add (global.get $turn) (i32.const 1)))
    (if (i32.rem_u (global.get $turn) (i32.const 3)) (then (return)))
    (local.set $at (i32.add (local.get $at)
      (i32.rem_u (i32.mul (global.get $turn) (i32.const 7)) (i32.or (local.get $size) (i32.const 1)))))
    (if (i32.ge_u (local.get $at) (i32.mul (memory.size) (i32.const 65536))) (then (return)))
    (i32.store8 (local.get $at) (i32.xor (local.get $mask) (i32.load8_u (local.get $at)))))
"""


def _damaging(signature: Signature, mask: int) -> str:
    """The body of a function that returns its first parameter damaged; empty for kinds that are left alone."""
    ty: Type = signature.params[0].type
    give = "(global.set $ptr (local.get 0))"
    if isinstance(ty, Vector) or ty is Prim.STRING:
        size = "(local.get 1)"
        return f"(call $damage (local.get 0) {size} (i32.const {mask})) {give} (global.set $size {size})"
    if isinstance(ty, Named):
        return f"(call $damage (local.get 0) (i32.const 8) (i32.const {mask})) {give}"
    if ty in (Prim.F32, Prim.F64, Prim.S64, Prim.U64):
        return ""
    return f"(i32.xor (local.get 0) (i32.const {mask << 5}))"


@dataclass(frozen=True, slots=True)
class Difference:
    """Configurations that did not agree.

    Attributes:
        place: the call, or what else was compared.
        found: what each configuration did.
    """

    place: str
    found: dict[str, str]

    def __str__(self) -> str:
        return "\n".join([self.place, *(f"  {name}: {what}" for name, what in self.found.items())])


def compare(batch: Batch, configurations: Sequence[Configuration] = CONFIGURATIONS) -> list[Difference]:
    """Run a batch under each configuration; what they did not agree on, at most one difference per function."""
    found = [_run(batch, configuration) for configuration in configurations]
    names = [str(configuration) for configuration in configurations]
    differences: dict[tuple[str, str], Difference] = {}
    places = [((module, function), ", ".join(map(repr, row))) for module, function, row in batch.calls]
    places += [(key, f"{len(rows)} rows in a batch") for key, rows in batch.rows().items()]
    for number, (key, what) in enumerate(places):
        results = [run[number] for run in found]
        if any(other != results[0] for other in results):
            difference = Difference(
                f"call {number}: {'.'.join(key)}({what})", dict(zip(names, map(str, results), strict=True))
            )
            differences.setdefault(key, difference)
    return [*differences.values()]


def _run(batch: Batch, configuration: Configuration) -> list[tuple[Outcome, object]]:
    """Outcomes of each call, then of all calls of a function at once, and now and then the logs of the guests."""
    found: list[tuple[Outcome, object]] = []
    with load(batch.modules, configuration.engine, configuration.call_layer) as service:
        for number, (module, function, row) in enumerate(batch.calls):
            result = outcome(partial(service.call, module, function, row))
            found.append((result, batch.state(service) if number % 40 == 39 else None))
        for (module, function), rows in batch.rows().items():
            result = outcome(partial(service.call_batch, module, function, rows))
            found.append((result, batch.state(service)))
    return found

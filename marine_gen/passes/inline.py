"""Inline: a call of another module's function becomes that module's export adapter.

Legal because that is what the runtime would run: the callee is known when the service is linked, it never changes, and
its adapter has no effects but its operations. Modules link to earlier ones only, so there is no recursion to stop at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from marine_gen.ir.model import AdapterIR, Call, ImportedCallee, ModuleIR, Side, Value
from marine_gen.passes.model import AnyStep, Frame, FusedAdapter, HostCall, Modules, Step, UnfusableError
from marine_runtime.abi import crosses
from marine_runtime.types import Records

MAX_STEPS = 20_000
"""Adapters may call several functions, whose adapters call several again; beyond this they stay closures."""


def inline(modules: Modules, module: str, adapter: AdapterIR) -> FusedAdapter:
    """`adapter` of `module` with every function of other modules spliced in.

    Raises:
        UnfusableError: a callee is not in `modules` and can't be left to the host, or the result would be too large.
    """
    inliner = _Inliner(modules)
    params = tuple(inliner.fresh(value) for value in adapter.params)
    returns = inliner.splice(module, adapter, params, ())
    steps = tuple(inliner.steps)
    reach = {name: _reach(modules, name) for name in {step.module for step in steps}}
    return FusedAdapter(
        adapter.side, module, adapter.function, adapter.key, adapter.signature, params, steps, returns, reach
    )


def _reach(modules: Modules, start: str) -> frozenset[str]:
    """The modules that the guest of module `start` can call, directly or through others."""
    found: set[str] = set()
    pending = [start]
    while pending:
        wanted = {item.callee.namespace for item in modules[pending.pop()].callees}
        pending += sorted((wanted & modules.keys()) - found)
        found |= wanted
    return frozenset(found)


class _Inliner:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._names: Counter[str] = Counter()
        self.steps: list[Step] = []

    def fresh(self, value: Value) -> Value:
        """A new value with a name that no other has."""
        self._names[value.name] += 1
        number = self._names[value.name]
        if number == 1:
            return Value(value.name, value.type)
        return self.fresh(Value(f"{value.name}_{number}", value.type))

    def splice(
        self, module: str, adapter: AdapterIR, inputs: tuple[Value, ...], trail: tuple[Frame, ...]
    ) -> tuple[Value, ...]:
        """Append the operations of `adapter` applied to `inputs`; gives what it returns."""
        known = dict(zip(adapter.params, inputs, strict=True))
        for operation in adapter.operations:
            if len(self.steps) >= MAX_STEPS:
                raise UnfusableError(
                    f"it grows beyond {MAX_STEPS} steps when its callees are spliced in", exceeding=True
                )
            frame = Frame(module, adapter.side, adapter.function, operation.at, str(adapter.source[operation.at]))
            operands = tuple(known[value] for value in operation.operands)
            if isinstance(operation, Call) and isinstance(operation.callee, ImportedCallee):
                if provider := self._modules.get(operation.callee.callee.namespace):
                    exporter = self._export(provider, operation.callee)
                    results = self.splice(provider.name, exporter, operands, (*trail, frame))
                    known.update(zip(operation.results, results, strict=True))
                    continue
                _require_host_call(adapter, operation.callee, self._modules[module].records, trail)
            made = tuple(self.fresh(value) for value in operation.results)
            known.update(zip(operation.results, made, strict=True))
            moved: AnyStep = replace(operation, results=made, operands=operands)
            if isinstance(operation, Call) and isinstance(operation.callee, ImportedCallee):
                moved = HostCall(made, operands, operation.at, operation.callee)
            self.steps.append(Step(moved, module, (*trail, frame)))
        return tuple(known[value] for value in adapter.returns)

    def _export(self, provider: ModuleIR, callee: ImportedCallee) -> AdapterIR:
        if callee.callee.name not in provider.exports:
            raise UnfusableError(f"`{callee.name}` is not a function of the service")
        return provider.exports[callee.callee.name]


def _require_host_call(adapter: AdapterIR, callee: ImportedCallee, records: Records, trail: tuple[Frame, ...]) -> None:
    """Refuse a call of a function outside of the service that the glue can't make.

    Such a call belongs to an import adapter of the module itself: the host is called with values that no other memory
    holds, and its result goes into a guest.
    """
    if adapter.side is not Side.IMPORT or trail:
        raise UnfusableError(f"`{callee.name}` is not a function of the service")
    types = [*(param.type for param in callee.type.params), *callee.type.results]
    if len(callee.type.results) > 1 or not all(map(partial(crosses, records=records), types)):
        raise UnfusableError(f"`{callee.name}` is not a function of the service, and its types have no packed form")

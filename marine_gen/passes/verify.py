"""The verifier of fused adapters.

Besides single definition and definition before use, it holds the rule that makes copying from place legal: between the
check of a remote value and its last use, no code of the module that owns the memory runs.
"""

from __future__ import annotations

from marine_gen.ir.model import Call, CoreCallee, Lift, Lower, Side, StoreBlock, Value
from marine_gen.ir.verify import IRError
from marine_gen.passes.model import STAGING, Copy, FusedAdapter, HostCall, Step, UnfusableError, Validate, Write, homes
from marine_gen.passes.sink import runs_code_of
from marine_runtime.abi import CORE_TYPES, is_flat, layout_of


def verify_fused(adapter: FusedAdapter) -> None:
    """Check the invariants of a fused adapter, after all passes.

    Raises:
        IRError: a pass broke the IR.
        UnfusableError: the adapter itself touches a value after code ran that may have changed it, or lowers it into
            the memory that it came from, where `allocate` may change it.
    """
    defined: set[Value] = set(adapter.params)
    names = {value.name for value in adapter.params}
    home = homes(adapter)
    for step in adapter.steps:
        operation = step.operation
        _expect(not isinstance(operation, (Lift, Lower, StoreBlock)), "no lift, lower or store is left", adapter)
        _expect(all(value in defined for value in operation.operands), "operands are defined before use", adapter)
        for value in operation.results:
            _expect(value not in defined and value.name not in names, f"`{value}` is defined once", adapter)
            defined.add(value)
            names.add(value.name)
        if isinstance(operation, (Copy, Write)):
            value = operation.operands[-1]
            _expect(value in home, "a copied value is remote", adapter)
            if home[value] == step.module != STAGING:
                raise UnfusableError(
                    f"`{step.trail[-1].text}` lowers into module `{step.module}` what was lifted from its memory"
                )
            _expect(home[value] != step.module, "a copy crosses memories", adapter)
        if isinstance(operation, Copy):
            carrier = layout_of(operation.type).carrier
            _expect(len(operation.results) == len(carrier), "a copy gives pointer and length", adapter)
        if isinstance(operation, Validate):
            _expect(step.module != STAGING, "nothing is checked in staging", adapter)
        if isinstance(operation, HostCall):
            _verify_host_call(adapter, step, home)
        if isinstance(operation, Call):
            _expect(isinstance(operation.callee, CoreCallee), "only core functions are called", adapter)
            _expect(all(v.type in CORE_TYPES for v in operation.operands), "core functions take numbers", adapter)
    for value in adapter.returns:
        _expect(value in defined and is_flat(value.type), "numbers are returned", adapter)
        if adapter.side is Side.IMPORT:
            _expect(value.type in CORE_TYPES, "core values are returned", adapter)
    _verify_views(adapter, home)


def _verify_host_call(adapter: FusedAdapter, step: Step, home: dict[Value, str]) -> None:
    _expect(adapter.side is Side.IMPORT and step.module == adapter.module, "imports call the host", adapter)
    for value in step.operation.operands:
        if value in home and home[value] != step.module:
            raise UnfusableError(f"`{step.trail[-1].text}` passes on what the host gave")


def _verify_views(adapter: FusedAdapter, home: dict[Value, str]) -> None:
    stale: dict[str, int] = {}  # the last step that ran code of a module
    checked_at: dict[Value, int] = {}
    owners = dict.fromkeys(module for module in home.values() if module != STAGING)
    for position, step in enumerate(adapter.steps):
        for value in step.operation.operands:
            owner = home.get(value)
            if owner is not None and owner != STAGING and stale.get(owner, -1) > checked_at[value]:
                culprit = adapter.steps[stale[owner]].trail[-1]
                raise UnfusableError(
                    f"`{culprit.text}` runs code of module `{owner}` between lifting a value and lowering it"
                )
        if isinstance(step.operation, Validate):
            checked_at[step.operation.results[0]] = position
        for module in owners:
            if runs_code_of(module, step, adapter.reach):
                stale[module] = position


def _expect(holds: bool, what: str, adapter: FusedAdapter) -> None:
    if not holds:
        raise IRError(f"fused {adapter.side.value} adapter of `{adapter.function}`: violated: {what}")

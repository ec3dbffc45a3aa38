"""Verification that the modules of a service fit together, with all signatures compared before linking."""

from __future__ import annotations

from collections.abc import Sequence

from marine_gen.diagnostics import Code, Diagnostic
from marine_runtime.abi import Callee, ModulePlan
from marine_runtime.texts import did_you_mean
from marine_runtime.types import same_signature


def check_links(plans: Sequence[ModulePlan]) -> list[Diagnostic]:
    """Everything that would stop `plans`, in this load order, from being linked."""
    findings: list[Diagnostic] = []
    names = [plan.name for plan in plans]
    for position, plan in enumerate(plans):
        if plan.name in names[:position]:
            message = f"two modules are named `{plan.name}`"
            findings.append(Diagnostic(Code.ADAPTER_DUPLICATE, message, source=plan.name))
        earlier = {other.name: other for other in plans[:position]}
        broken = {(item.namespace, item.name) for item in plan.left_out}
        for callee in plan.callees:
            if (callee.namespace, callee.name) in broken:
                continue
            finding = _check_callee(plan, callee, earlier, names)
            if finding is not None:
                findings.append(finding)
    return findings


def _check_callee(
    plan: ModulePlan, callee: Callee, earlier: dict[str, ModulePlan], names: Sequence[str]
) -> Diagnostic | None:
    wanted = f"module `{plan.name}` imports `{callee.namespace}.{callee.name}`"
    provider = earlier.get(callee.namespace)
    if provider is None:
        if callee.namespace in names:
            message = f"{wanted}, but `{callee.namespace}` comes after it"
            help_text = "list modules in dependency order"
        else:
            message = f"{wanted}, but there is no module `{callee.namespace}`"
            help_text = did_you_mean(callee.namespace, earlier) or (
                f"load `{callee.namespace}` before it: a service configuration (.toml) lists modules in their order"
            )
        return Diagnostic(Code.IMPORT_UNRESOLVED, message, source=plan.name, help=help_text)
    offered = provider.exports.get(callee.name)
    if offered is None and provider.unusable_export(callee.name):
        return None  # calling it fails, which is no reason to refuse all else
    if offered is None:
        message = f"{wanted}, but module `{callee.namespace}` has no function `{callee.name}`"
        help_text = did_you_mean(callee.name, provider.exports)
        return Diagnostic(Code.IMPORT_UNRESOLVED, message, source=plan.name, help=help_text)
    if same_signature(callee.type, plan.records, offered, provider.records):
        return None
    return Diagnostic(
        Code.IMPORT_SIGNATURE,
        f"{wanted} with another signature than module `{callee.namespace}` exports it",
        source=plan.name,
        notes=(f"imported as {callee.type}", f"exported as {offered}"),
        help="record and field names do not matter, types and their order do",
    )

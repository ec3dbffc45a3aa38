"""The IR of a whole module. All adapters are checked.

One that is invalid is left out of the module, unless the caller is strict or no export is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from marine_gen.diagnostics import Diagnostic, DiagnosticError
from marine_gen.interfaces import Interfaces
from marine_gen.ir.build import AdapterBuilder, AdapterContext, AdapterFaultError
from marine_gen.ir.model import AdapterIR, LeftOutAdapter, ModuleIR, Side
from marine_gen.ir.resolve import resolve
from marine_gen.wasm.signatures import Signatures


def build_module(
    name: str, interfaces: Interfaces, signatures: Signatures | None = None, *, strict: bool = True
) -> ModuleIR:
    """The IR of one module, fully typed.

    Args:
        name: import name of the module, for messages and for the plan.
        interfaces: the module's interface section.
        signatures: the real imports and exports of the Wasm module; without it the conventional ABI is assumed.
        strict: refuse the module when anything is wrong with it; otherwise invalid adapters are left out.

    Raises:
        DiagnosticError: anything is wrong, or no export is valid; carries every finding.
    """
    resolved = resolve(interfaces, signatures)
    if resolved.findings and strict:
        raise _refusal(name, resolved.findings)
    records = resolved.sound_records(interfaces.records)
    context = AdapterContext(records, resolved)
    exports: dict[tuple[str, str], AdapterIR] = {}
    imports: dict[tuple[str, str], AdapterIR] = {}
    left_out: dict[tuple[Side, tuple[str, str]], tuple[Diagnostic, ...]] = {}
    for side, served, built in (
        *((Side.EXPORT, item, exports) for item in resolved.exports),
        *((Side.IMPORT, item, imports) for item in resolved.imports),
    ):
        if problems := resolved.problems_of(served, side.value, interfaces):
            left_out[side, served.key] = _sourced(name, problems)
            continue
        assert served.adapter is not None
        assert served.type is not None
        function = served.key[1] if side is Side.EXPORT else ".".join(served.key)
        try:
            built[served.key] = AdapterBuilder(context, side, function, served.key, served.adapter, served.type).run()
        except AdapterFaultError as fault:
            left_out[side, served.key] = _sourced(name, [fault.diagnostic])
    if left_out and (strict or not exports):
        found = [item for diagnostics in left_out.values() for item in diagnostics]
        raise _refusal(name, [*resolved.findings, *found])
    return ModuleIR(
        name,
        records,
        tuple(resolved.core),
        tuple(resolved.callees),
        {key[1]: adapter for key, adapter in exports.items()},
        imports,
        tuple(LeftOutAdapter(side, key, findings) for (side, key), findings in left_out.items()),
    )


def _refusal(name: str, findings: Iterable[Diagnostic]) -> DiagnosticError:
    return DiagnosticError(list(dict.fromkeys(_sourced(name, findings))))


def _sourced(name: str, findings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(replace(finding, source=finding.source or name) for finding in findings)

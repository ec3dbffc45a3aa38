"""Verification that a module exports the functions of its description.

Typing an adapter against a module would find most of this too, one finding per adapter and in the words of its
instructions. Here the whole signatures are compared, before adapters are checked.
"""

from __future__ import annotations

from marine_gen.diagnostics import Code, Diagnostic
from marine_gen.interfaces import Interfaces
from marine_gen.ir.resolve import resolve
from marine_gen.wasm.signatures import Signatures
from marine_runtime.abi import BY_EXPORT
from marine_runtime.types import CoreSignature


def check_exports(interfaces: Interfaces, signatures: Signatures) -> list[Diagnostic]:
    """Functions that generated `interfaces` call, and that the module does not export, or exports with other types.

    The signatures of ABI helpers are left to the typing of adapters, which knows older ones too.
    """
    findings: list[Diagnostic] = []
    resolved = resolve(interfaces, None)
    findings += resolved.findings
    for callee in resolved.core:
        within = f"function `{callee.name}`"
        found = signatures.exports.get(callee.name)
        wanted = CoreSignature(
            tuple(str(param.type) for param in callee.type.params), tuple(map(str, callee.type.results))
        )
        if found is None:
            message = f"the Wasm module exports no function `{callee.name}`"
            help_line = "correct the description, or export the function when the module is linked"
            findings.append(Diagnostic(Code.EXPORT_MISSING, message, within=within, help=help_line))
        elif found != wanted and callee.name not in BY_EXPORT:
            message = f"the Wasm module exports `{callee.name}` as {found}, the description needs {wanted}"
            help_line = "correct the description, or the function; strings and lists are an address and a length"
            findings.append(Diagnostic(Code.WASM_SIGNATURE, message, within=within, help=help_line))
    return findings
